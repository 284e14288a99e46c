import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import type { AccountAccess } from '../../../common/caller.js';
import { AppError, type ErrorCode } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { ragConfig } from '../../../config/index.js';
import {
  type ChatMessage,
  countTokens,
  LlmService,
  type ModelAnswer,
  type ModelCall,
  ModelCatalog,
  NO_USAGE,
} from '../../../llm/index.js';
import { numberSources } from './answer-source.js';
import { isDemoModel } from './demo-answer.js';
import { isModelUnavailable } from './is-model-unavailable.js';
import { toPassageBlock } from './passages-prompt.js';
import { parseRanking, toRerankPrompt } from './rerank-prompt.js';
import type { RerankCall, SearchHit } from './search-request.js';

/** Maximum tokens of all passages of one call, and their maximum share of the context window. */
const MAX_PASSAGE_TOKENS = 24_000;
const PASSAGE_SHARE = 1 / 2;

/** Maximum length of a passage before its tokens are counted, in UTF-16 units. */
const MAX_PASSAGE_UNITS = 8_000;

/** Maximum tokens of a reply. The numbers take few; reasoning models think before them. */
const REPLY_TOKENS = 2_048;

/** Refusals of the request by the provider, which the caller cannot change. */
const REFUSED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'content_policy_violation',
  'context_length_exceeded',
]);

const UNCHANGED = 'The passages are in the order of the search';
const NO_CALL: RerankCall = { model: null, usage: NO_USAGE, costMicroUsd: 0n };

/** Passages to be ordered by a model. */
export interface RerankRequest {
  readonly query: string;
  /** Chat model, as `ModelCatalog.canonicalName` returns it. */
  readonly model: string;
}

/** Passages in the order of a model, or in their former one. */
export interface Reranking {
  readonly hits: readonly SearchHit[];
  readonly call: RerankCall;
  /** True if a model was called, whether or not it has replied. */
  readonly isAsked: boolean;
  /** Why the order is the former one, in a sentence; undefined if it is that of the model. */
  readonly problem?: string;
}

/** Orders passages by a chat model. */
@Injectable()
export class PassageReranker {
  private readonly logger = new Logger(PassageReranker.name);

  constructor(
    private readonly llm: LlmService,
    private readonly models: ModelCatalog,
    @Inject(ragConfig.KEY) private readonly config: ConfigType<typeof ragConfig>,
  ) {}

  /**
   * Orders passages by their relevance to a query. Passages that the model leaves out come last, in their former order,
   * so that a document with instructions can change the order and nothing else. If the model is unavailable or too slow,
   * or its reply is no list of passages, the order stays.
   * @throws AppError as `LlmService.complete` does, unless the model is unavailable
   */
  async rankPassages(
    caller: AccountAccess,
    { query, model }: RerankRequest,
    hits: readonly SearchHit[],
    signal: AbortSignal,
  ): Promise<Reranking> {
    const unchanged = { hits, call: NO_CALL, isAsked: false };
    if (hits.length < 2) return unchanged;
    if (isDemoModel(model))
      return { ...unchanged, problem: `${UNCHANGED}: the demo model cannot order passages.` };
    const timeout = AbortSignal.timeout(this.config.rerankTimeoutMs);
    try {
      const block = await toPassageBlock(await this.toShortSources(model, hits), Infinity);
      const answer = await this.llm.complete(
        toModelCall(caller, model, toRerankPrompt(query, block), AbortSignal.any([signal, timeout])),
      );
      const call = toRerankCall(answer);
      const reply = answer.completion.choices[0]?.message.content ?? '';
      const ranking = parseRanking(reply, hits.length);
      if (ranking.length === 0)
        return { hits, call, isAsked: true, problem: `${UNCHANGED}: the model replied without one.` };
      return { hits: reorder(hits, ranking), call, isAsked: true };
    } catch (error) {
      const isTooSlow = timeout.aborted && error instanceof AppError && error.code === 'request_cancelled';
      if (signal.aborted || !(isTooSlow || isDispensable(error))) throw error;
      this.logger.warn({ err: error, model }, 'could not rerank passages; keeping the order of the search');
      const reason = isTooSlow ? 'It did not reply in time.' : error.message;
      return { ...unchanged, isAsked: true, problem: `${UNCHANGED}: the model could not be used. ${reason}` };
    }
  }

  /** Numbers passages, and shortens them so that all fit into the window of the model. */
  private async toShortSources(
    model: string,
    hits: readonly SearchHit[],
  ): Promise<ReturnType<typeof numberSources>> {
    const { tokens: window } = await this.models.contextWindow(model);
    const share = Math.floor(Math.min(MAX_PASSAGE_TOKENS, window * PASSAGE_SHARE) / hits.length);
    return numberSources(
      hits.map((hit) => ({ ...hit, prefix: '', text: shorten(hit.prefix + hit.text, share) })),
    );
  }
}

function toModelCall(
  { userId, apiKeyId }: AccountAccess,
  model: string,
  messages: ChatMessage[],
  signal: AbortSignal,
): ModelCall {
  return {
    callId: newId(),
    userId,
    apiKeyId,
    model,
    request: { messages, temperature: 0, max_completion_tokens: REPLY_TOKENS },
    serverDefaults: ['temperature', 'limit_name'],
    signal,
    accounting: 'sink',
  };
}

/** Returns true for a failure that leaves the order as it is. */
function isDispensable(error: unknown): error is AppError {
  return isModelUnavailable(error) || (error instanceof AppError && REFUSED.has(error.code));
}

/** Returns the beginning of a text with about a number of tokens. */
function shorten(text: string, maxTokens: number): string {
  const beginning = cut(text, MAX_PASSAGE_UNITS);
  const tokens = countTokens(beginning);
  return tokens <= maxTokens
    ? beginning
    : cut(beginning, Math.floor((beginning.length * maxTokens) / tokens));
}

function cut(text: string, length: number): string {
  const beginning = text.slice(0, length);
  // Do not split a surrogate pair.
  return beginning.isWellFormed() ? beginning : beginning.slice(0, -1);
}

/** Puts the passages of a ranking first, and the others after them. */
function reorder(hits: readonly SearchHit[], ranking: readonly number[]): SearchHit[] {
  const ranked = new Set(ranking);
  const others = hits.flatMap((_hit, position) => (ranked.has(position + 1) ? [] : [position + 1]));
  return [...ranking, ...others].flatMap((number, position) => {
    const hit = hits[number - 1];
    if (hit === undefined) return [];
    return [{ ...hit, ranks: { ...hit.ranks, rerank: ranked.has(number) ? position + 1 : null } }];
  });
}

function toRerankCall({ model, usage, attempts }: ModelAnswer): RerankCall {
  return { model: model.name, usage, costMicroUsd: attempts.at(-1)?.costMicroUsd ?? null };
}
