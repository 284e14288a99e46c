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
  toChunks,
  type TokenUsage,
} from '../port/index.js';

/** An answer as it is kept: all of it that a caller can see, in the common tongue. */
export interface CachedAnswer {
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  readonly completion: ChatCompletion;
  readonly finishReason: FinishReason;
  /** Of the attempt that made it. */
  readonly usage: TokenUsage;
  /** The answer as it came, where it came in the caller's own wire: the events of a stream, or the whole text. */
  readonly relayed?: readonly RelayedEvent[];
  readonly raw?: string;
}

/** Reasons for an end that make an answer worth keeping. */
const KEPT: ReadonlySet<FinishReason> = new Set(['stop', 'length', 'tool_calls', 'function_call']);

/**
 * Whether an answer may stand for the next one: whole, not refused, of the model that was meant and not of one that
 * stood in for it, and without calls that a stream of the common tongue has no words for.
 */
export function isKept(
  { completion, model }: CachedAnswer,
  models: readonly string[],
  { mayCache }: Pick<ModelCall, 'mayCache'>,
): boolean {
  return (
    model.name === models[0] &&
    completion.choices.length > 0 &&
    completion.choices.every(
      ({ finish_reason, message }) =>
        KEPT.has(finish_reason) &&
        !message.refusal &&
        (message.tool_calls ?? []).every(({ type }) => type === 'function'),
    ) &&
    (mayCache?.(completion) ?? true)
  );
}

/** A call whose answer may come out of the cache. */
export type CacheableCall = ModelCall & { readonly cache: AnswerCaching };

/** Returns whether the answer of a call may come out of the cache. */
export function isCacheable(call: ModelCall): call is CacheableCall {
  return call.cache !== undefined;
}

/**
 * Returns the cache key of a call: its account, the generation of the account's cached answers, and a hash of everything
 * that shapes the answer. When the generation is raised, answers under earlier keys cannot be found any more and expire.
 * @param mode how the caller wants it; what is cached in the caller's own API format fits only that
 */
export function keyOf(
  { userId, cache, request, native }: CacheableCall,
  models: readonly string[],
  mode: 'stream' | 'whole',
): string {
  const shape = {
    models,
    request: { ...ordered(request), messages: request.messages.map(ordered) },
    ...(native && { mode, native: ownWords(native) }),
  };
  const hash = createHash('sha256').update(JSON.stringify(shape)).digest('base64url');
  return `answer:${userId}:${cache.generation}:${hash}`;
}

function ownWords({ wire, path, headers, body: { model, stream, ...body } }: NativeRequest): object {
  return { wire, path, headers: ordered(headers), body: ordered(body) };
}

/** Fields in one order, whatever order the caller wrote them in. Not those further in: in a schema the order means something. */
function ordered(fields: object): object {
  return Object.fromEntries(Object.entries(fields).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** The events that a caller of the stream would have seen, the text of a choice in one piece. */
export function* replay(
  { model, ignored, completion, finishReason, usage, relayed }: CachedAnswer,
  record: AttemptOfHit,
) {
  yield { type: 'started', model, ignored, cached: true } satisfies ModelEvent;
  if (relayed) yield* relayed;
  else for (const chunk of toChunks(completion)) yield { type: 'chunk', chunk } satisfies ModelEvent;
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

type AttemptOfHit = Extract<ModelEvent, { type: 'finished' }>['attempts'][number];

/** What a hit leaves in the ledger: that it was asked, and that nothing was used for it. */
export function recordOfHit({ model }: CachedAnswer): AttemptOfHit {
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
