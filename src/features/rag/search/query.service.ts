import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import type { Caller } from '../../../common/caller.js';
import { newId } from '../../../common/ids.js';
import type { MicroUsd } from '../../../common/money.js';
import { contextConfig } from '../../../config/index.js';
import {
  type BudgetLease,
  countTokens,
  LlmService,
  ModelCatalog,
  type ModelCall,
  type ModelEvent,
  NO_USAGE,
  type TokenUsage,
} from '../../../llm/index.js';
import { CitationFilter } from '../model/citations.js';
import { type AnswerSource, numberSources } from './answer-source.js';
import { isDemoModel, toDemoAnswer } from './demo-answer.js';
import {
  PASSAGE_INSTRUCTIONS,
  type PassageBlock,
  toAnswerPrompt,
  toPassageBlock,
} from './passages-prompt.js';
import { RerankedSearch } from './reranked-search.js';
import type { RerankCall, SearchRequest, SearchResult } from './search-request.js';

/** Answer to a question that no passage is relevant to. */
export const NOTHING_FOUND =
  'I found nothing about this in the documents. Documents that are not ready yet are not searched.';

/** Maximum tokens of an answer if the request sets no limit, and the maximum share of the context window. */
const ANSWER_TOKENS = 4_096;
const ANSWER_SHARE = 1 / 4;

/** A question about documents. */
export interface DocumentQuestion {
  readonly caller: Caller;
  /** The search for its passages; `query` is the question. */
  readonly search: SearchRequest;
  /** Model that answers; undefined for the default model. */
  readonly model: string | undefined;
  /** Maximum tokens of the answer. */
  readonly maxTokens: number | undefined;
}

/** The end of an answer. */
export interface QueryOutcome {
  /** Full name of the model that answered; null if none was asked. */
  readonly model: string | null;
  readonly finishReason: string;
  readonly usage: TokenUsage;
  readonly costMicroUsd: MicroUsd | null;
  /** The sources that the answer cites, in the order of their numbers. */
  readonly citations: readonly AnswerSource[];
  /** The call to the model that ordered the sources; undefined unless one was to. */
  readonly rerank?: RerankCall | undefined;
}

/** The events of an answer: the sources first, then its text, then its end. */
export type QueryEvent =
  | {
      readonly type: 'sources';
      readonly sources: readonly AnswerSource[];
      /** Sentences about what the search could not do. */
      readonly warnings: readonly string[];
    }
  | { readonly type: 'delta'; readonly text: string }
  | { readonly type: 'ended'; readonly outcome: QueryOutcome };

/** Answers questions from the passages that a search finds. */
@Injectable()
export class QueryService {
  constructor(
    private readonly searches: RerankedSearch,
    private readonly llm: LlmService,
    private readonly models: ModelCatalog,
    @Inject(contextConfig.KEY) private readonly config: ConfigType<typeof contextConfig>,
  ) {}

  /**
   * Answers a question. Refusals come before the first event.
   * @throws AppError as `RerankedSearch.search`, `LlmService.reserve` and `LlmService.stream` do
   */
  async *answerQuestion(question: DocumentQuestion, signal: AbortSignal): AsyncGenerator<QueryEvent> {
    const { caller, search, maxTokens } = question;
    const model = await this.models.canonicalName(question.model);
    const found = await this.searches.search(caller, search, signal);
    const { hits, warnings, rerank } = found;
    if (hits.length === 0) {
      yield { type: 'sources', sources: [], warnings };
      yield { type: 'delta', text: NOTHING_FOUND };
      yield { type: 'ended', outcome: outcomeOf({ model: null, rerank }) };
      return;
    }
    if (isDemoModel(model)) {
      yield* answerAsDemo(found, model);
      return;
    }
    const room = await this.roomForPassages({ ...question, model });
    const block = await toPassageBlock(numberSources(hits), room);
    const call = {
      callId: newId(),
      ...caller,
      model,
      request: {
        messages: toAnswerPrompt(search.query, block),
        ...(maxTokens !== undefined && { max_completion_tokens: maxTokens }),
      },
      serverDefaults: ['limit_name'],
      signal,
      accounting: 'sink',
    } as const satisfies ModelCall;
    yield* this.askModel(call, { ...found, sources: block.sources }, await this.llm.reserve(call));
  }

  private async *askModel(
    call: ModelCall,
    { sources, warnings, rerank }: SearchResult & Pick<PassageBlock, 'sources'>,
    lease: BudgetLease,
  ): AsyncGenerator<QueryEvent> {
    let isAsked = false;
    try {
      yield { type: 'sources', sources, warnings };
      isAsked = true;
    } finally {
      // The client left before the model was asked.
      if (!isAsked) lease.settle([]);
    }
    const filter = new CitationFilter(sources.length);
    for await (const event of this.llm.stream(call, lease)) {
      const text = event.type === 'finished' ? filter.end() : filter.push(textOf(event));
      if (text !== '') yield { type: 'delta', text };
      if (event.type !== 'finished') continue;
      const { model, finishReason, usage, attempts } = event;
      const costMicroUsd = attempts.at(-1)?.costMicroUsd ?? null;
      const citations = citedIn(sources, filter);
      yield {
        type: 'ended',
        outcome: { model: model.name, finishReason, usage, costMicroUsd, citations, rerank },
      };
    }
  }

  /** Returns the number of tokens that the window of the model leaves to passages. */
  private async roomForPassages({ search: { query }, model, maxTokens }: DocumentQuestion): Promise<number> {
    const { tokens: window } = await this.models.contextWindow(model);
    const answer = maxTokens ?? Math.min(ANSWER_TOKENS, Math.floor(window * ANSWER_SHARE));
    const others = countTokens(PASSAGE_INSTRUCTIONS) + countTokens(query);
    return Math.min(this.config.maxTokens, window - answer) - others;
  }
}

/** Quotes the best passages. No model is called, so nothing is billed. */
function* answerAsDemo({ hits, warnings, rerank }: SearchResult, model: string): Generator<QueryEvent> {
  const sources = numberSources(hits);
  yield { type: 'sources', sources, warnings };
  const { pieces, citations } = toDemoAnswer(sources);
  for (const text of pieces) yield { type: 'delta', text };
  yield { type: 'ended', outcome: outcomeOf({ model, citations, rerank }) };
}

/** Returns the outcome of an answer without a call to a model. */
function outcomeOf(outcome: Pick<QueryOutcome, 'model'> & Partial<QueryOutcome>): QueryOutcome {
  return { finishReason: 'stop', usage: NO_USAGE, costMicroUsd: 0n, citations: [], ...outcome };
}

function citedIn(sources: readonly AnswerSource[], { cited }: CitationFilter): AnswerSource[] {
  return sources.filter(({ index }) => cited.includes(index));
}

function textOf(event: ModelEvent): string {
  return event.type === 'chunk' ? (event.chunk.choices[0]?.delta.content ?? '') : '';
}
