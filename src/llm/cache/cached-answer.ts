import { createHash } from 'node:crypto';
import type { AnswerCaching } from '../../common/caller.js';
import {
  type ChatCompletion,
  type FinishReason,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  type NativeRequest,
  type RelayedEvent,
  completionToChunks,
  type TokenUsage,
} from '../port/index.js';

/** A cached answer: everything that a caller can see of it, in the canonical format. */
export interface CachedAnswer {
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  readonly completion: ChatCompletion;
  readonly finishReason: FinishReason;
  /** Usage of the attempt that generated it. */
  readonly usage: TokenUsage;
  /**
   * The original answer if it arrived in the caller's own API format: the events of a stream, or the whole
   * text.
   */
  readonly relayed?: readonly RelayedEvent[];
  readonly raw?: string;
}

/** Finish reasons of answers that may be cached. */
const CACHEABLE_FINISH_REASONS: ReadonlySet<FinishReason> = new Set([
  'stop',
  'length',
  'tool_calls',
  'function_call',
]);

/**
 * Returns true if an answer may be cached: complete, not refused, from the first model of the chain and not
 * from a fallback, and without calls that a stream in the canonical format cannot express.
 */
export function isCacheableAnswer(
  { completion, model }: CachedAnswer,
  models: readonly string[],
  { mayCache }: Pick<ModelCall, 'mayCache'>,
): boolean {
  return (
    model.name === models[0] &&
    completion.choices.length > 0 &&
    completion.choices.every(
      ({ finish_reason, message }) =>
        CACHEABLE_FINISH_REASONS.has(finish_reason) &&
        !message.refusal &&
        (message.tool_calls ?? []).every(({ type }) => type === 'function'),
    ) &&
    (mayCache?.(completion) ?? true)
  );
}

/** A call whose answer may come from the cache. */
export type CacheableCall = ModelCall & { readonly cache: AnswerCaching };

/** Returns true if the answer of a call may come from the cache. */
export function isCacheable(call: ModelCall): call is CacheableCall {
  return call.cache !== undefined;
}

/**
 * Returns the cache key of a call: its account, the generation of the account's cached answers, and a hash of
 * everything that affects the answer. When the generation is incremented, answers with older keys can no longer
 * be found, and expire.
 * @param mode streamed or whole; an answer cached in the caller's own API format fits only one mode
 */
export function cacheKeyOf(
  { userId, cache, request, native }: CacheableCall,
  models: readonly string[],
  mode: 'stream' | 'whole',
): string {
  const shape = {
    models,
    request: { ...ordered(request), messages: request.messages.map(ordered) },
    ...(native && { mode, native: nativeKeyParts(native) }),
  };
  const hash = createHash('sha256').update(JSON.stringify(shape)).digest('base64url');
  return `answer:${userId}:${cache.generation}:${hash}`;
}

function nativeKeyParts({
  protocol,
  path,
  headers,
  body: { model, stream, ...body },
}: NativeRequest): object {
  return { protocol, path, headers: ordered(headers), body: ordered(body) };
}

/**
 * Sorts fields, so that their order in the request does not matter. Nested fields stay unsorted: the order in a
 * schema is significant.
 */
function ordered(fields: object): object {
  return Object.fromEntries(Object.entries(fields).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Yields the events that the caller of the stream would have seen, with the text of a choice in one piece. */
export function* replayAnswer(
  { model, ignored, completion, finishReason, usage, relayed }: CachedAnswer,
  record: CacheHitRecord,
) {
  yield { type: 'started', model, ignored, cached: true } satisfies ModelEvent;
  if (relayed) yield* relayed;
  else
    for (const chunk of completionToChunks(completion)) yield { type: 'chunk', chunk } satisfies ModelEvent;
  yield {
    type: 'finished',
    model,
    finishReason,
    usage,
    attempts: [record],
    warning: null,
    cached: true,
  } satisfies ModelEvent;
}

type CacheHitRecord = Extract<ModelEvent, { type: 'finished' }>['attempts'][number];

/** Returns the ledger record of a cache hit, with no usage. */
export function toCacheHitRecord({ model }: CachedAnswer): CacheHitRecord {
  return {
    attempt: 1,
    provider: model.provider,
    model: model.model,
    outcome: 'cached',
    usage: { inputTokens: 0, outputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
    costMicroUsd: 0n,
    estimated: false,
  };
}
