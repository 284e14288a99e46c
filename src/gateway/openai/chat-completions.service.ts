import { Injectable } from '@nestjs/common';
import { type ByteLease, ByteLimiter } from '../../common/byte-limiter.js';
import { answerCaching, type Caller } from '../../common/caller.js';
import { newId } from '../../common/ids.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import {
  type CitationFilter,
  createCitationFilter,
  isDemoModel,
  NOTHING_FOUND,
  PASSAGE_TOKENS,
  type SourceBody,
  toDemoAnswer,
  toSourceBody,
} from '../../features/rag/index.js';
import {
  type CallHandling,
  LlmService,
  ModelCatalog,
  type ModelCall,
  NO_USAGE,
  REQUEST_HANDLING,
  type SharedLease,
} from '../../llm/index.js';
import { type ModelResponseHeaders, toModelResponseHeaders } from '../../http/index.js';
import type { ChatCompletionBody } from './chat-completion-body.js';
import { FilePartsService } from './file-parts.service.js';
import { ChunkWriter, toCompletionText } from './chat-completions.mapper.js';
import { addPassages, CompletionPassagesService } from './completion-passages.service.js';
import { type CompletionRetrieval, requestsJson, toRetrieval } from './completion-retrieval.js';
import { filterCitations, withoutFalseCitations } from './filter-citations.js';
import { type OwnAnswer, OwnChunks, toOwnCompletion } from './own-completion.js';

/** A whole answer and the data of its headers. */
export interface CompletionResult {
  readonly head: ModelResponseHeaders;
  /** JSON text. */
  readonly completion: string;
}

/** The passages that an answer is based on. */
interface FoundSources {
  readonly sources: readonly SourceBody[];
  /** Undefined if the text of the answer has no markers. */
  readonly filter: CitationFilter | undefined;
  /** Reserved before the search, so that a refused request has not cost anything. */
  readonly lease: SharedLease;
}

/** A call to a model, and the passages for its answer if the request names collections. */
interface PreparedCall {
  readonly call: ModelCall;
  readonly found: FoundSources | undefined;
  /** Answer without a call to a model. */
  readonly own?: OwnAnswer;
}

/** Resources of a request until its answer is complete. */
interface RequestResources {
  readonly memory: ByteLease;
  readonly signal: AbortSignal;
  readonly handling: CallHandling;
}

/**
 * Chat Completions without a conversation: if the client disconnects, the upstream call ends, and only usage is
 * stored.
 */
@Injectable()
export class ChatCompletionsService {
  constructor(
    private readonly llm: LlmService,
    private readonly models: ModelCatalog,
    private readonly fileParts: FilePartsService,
    private readonly passages: CompletionPassagesService,
    private readonly fileMemory: ByteLimiter,
  ) {}

  /** @throws AppError if there is no answer */
  async complete(
    caller: Caller,
    body: ChatCompletionBody,
    signal: AbortSignal,
    handling = REQUEST_HANDLING,
  ): Promise<CompletionResult> {
    const memory = this.fileMemory.lease();
    let prepared: PreparedCall | undefined;
    try {
      prepared = await this.prepareCall(caller, body, { memory, signal, handling });
      const { call, found, own } = prepared;
      if (own !== undefined) {
        const completion = JSON.stringify(toOwnCompletion(own));
        return { head: toModelResponseHeaders(call, { ignored: [] }), completion };
      }
      const answer = await this.llm.complete(call, found?.lease);
      const checked = found?.filter ? withoutFalseCitations(answer, found.filter) : answer;
      const completion = toCompletionText(checked, found?.sources);
      return { head: toModelResponseHeaders(call, answer), completion };
    } finally {
      await prepared?.found?.lease.settle();
      memory.release();
    }
  }

  /**
   * Streams the answer as events, `[DONE]` last.
   * @param begin receives the data of the headers before the first event
   * @throws AppError from the iteration if there is no answer; before the first chunk it determines the status
   * of the response
   */
  async *stream(
    caller: Caller,
    body: ChatCompletionBody,
    signal: AbortSignal,
    begin: (head: ModelResponseHeaders) => void,
  ): AsyncGenerator<OutgoingEvent> {
    const includeUsage = body.stream_options?.include_usage === true;
    const memory = this.fileMemory.lease();
    let prepared: PreparedCall | undefined;
    try {
      prepared = await this.prepareCall(caller, body, { memory, signal, handling: REQUEST_HANDLING });
      const { call, found, own } = prepared;
      if (own !== undefined) {
        begin(toModelResponseHeaders(call, { ignored: [] }));
        yield* toOwnChunks(own, includeUsage);
        return;
      }
      const writer = new ChunkWriter(includeUsage, found?.sources);
      const events = this.llm.stream(call, await found?.lease.join());
      for await (const event of found?.filter ? filterCitations(events, found.filter) : events) {
        if (event.type === 'chunk') {
          const data = writer.write(event);
          if (data !== undefined) yield { data };
        } else if (event.type === 'started') {
          writer.begin(event.model);
          begin(toModelResponseHeaders(call, event));
        } else if (event.type === 'finished') {
          const data = writer.usage(event.usage);
          if (data !== undefined) yield { data };
        }
      }
    } finally {
      await prepared?.found?.lease.settle();
      memory.release();
    }
    yield { data: '[DONE]' };
  }

  private async prepareCall(
    caller: Caller,
    body: ChatCompletionBody,
    resources: RequestResources,
  ): Promise<PreparedCall> {
    const retrieval = toRetrieval(body);
    if (retrieval !== undefined) return this.prepareSourcedCall(caller, body, retrieval, resources);
    const messages = await this.fileParts.resolveFileIds(caller.userId, body, resources);
    return { call: toCall(caller, { ...body, messages }, resources), found: undefined };
  }

  /** Finds the passages for a request that names collections. */
  private async prepareSourcedCall(
    caller: Caller,
    body: ChatCompletionBody,
    retrieval: CompletionRetrieval,
    resources: RequestResources,
  ): Promise<PreparedCall> {
    const collectionIds = await this.passages.resolveCollections(caller.userId, retrieval);
    const room = { ...resources, otherTokens: PASSAGE_TOKENS };
    const messages = await this.fileParts.resolveFileIds(caller.userId, body, room);
    const call = toCall(caller, { ...body, messages }, resources);
    const lease = this.llm.shareLease([call], PASSAGE_TOKENS);
    try {
      await lease.join();
      const asked = { collectionIds, question: retrieval.question };
      const block = await this.passages.findPassages(caller, asked, { ...body, messages }, resources);
      const model = await this.models.canonicalName(body.model);
      if (block === undefined)
        return {
          call,
          found: { sources: [], filter: undefined, lease },
          own: toNothingFound(model, body),
        };
      const sources = block.sources.map(toSourceBody);
      if (isDemoModel(model)) {
        const text = toDemoAnswer(block.sources).pieces.join('');
        return {
          call,
          found: { sources, filter: undefined, lease },
          own: toOwnAnswer({ model, text, sources }),
        };
      }
      const request = { ...call.request, messages: addPassages(messages, block) };
      const filter = createCitationFilter(sources.length, body);
      // The marker around passages differs in each request, so an equal one never comes.
      return { call: { ...call, request, cache: undefined }, found: { sources, filter, lease } };
    } catch (error) {
      await lease.settle();
      throw error;
    }
  }
}

/**
 * Returns the answer to a question that no passage is relevant to. If JSON was requested it is a refusal, as OpenAI's
 * clients know it: a sentence would not be of the requested schema.
 */
function toNothingFound(model: string, body: ChatCompletionBody): OwnAnswer {
  return { ...toOwnAnswer({ model, text: NOTHING_FOUND, sources: [] }), isRefusal: requestsJson(body) };
}

/** Returns an answer that no model has generated. */
function toOwnAnswer(answer: Pick<OwnAnswer, 'model' | 'text' | 'sources'>): OwnAnswer {
  const written = {
    id: newId(),
    createdAt: new Date(),
    calls: [],
    finishReason: 'stop',
    usage: NO_USAGE,
  } as const;
  return { ...written, ...answer };
}

function* toOwnChunks(answer: OwnAnswer, includeUsage: boolean): Generator<OutgoingEvent> {
  const { id, createdAt, text, model, finishReason, usage, sources, isRefusal = false } = answer;
  const chunks = new OwnChunks({ id, createdAt, readModel: () => model, includeUsage });
  yield chunks.begin(sources);
  yield chunks.add(isRefusal ? { refusal: text } : { content: text });
  yield* chunks.end(finishReason, usage);
}

function toCall(
  caller: Caller,
  body: ChatCompletionBody,
  { signal, handling }: Pick<RequestResources, 'signal' | 'handling'>,
): ModelCall {
  const { model, stream, stream_options, cache, collection, ...request } = body;
  return {
    callId: newId(),
    ...caller,
    model,
    request,
    signal,
    ...handling,
    cache: answerCaching(caller, cache),
  };
}
