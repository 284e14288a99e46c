import { createHash } from 'node:crypto';
import type {
  AnswerMessage,
  ChatChunk,
  ChatCompletion,
  FinishReason,
  ModelCall,
  ModelEvent,
  ModelIdentity,
  TokenUsage,
} from '../port/index.js';

/** An answer as it is kept: all of it that a caller can see, in the common tongue. */
export interface CachedAnswer {
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  readonly completion: ChatCompletion;
  readonly finishReason: FinishReason;
  /** Of the attempt that made it. */
  readonly usage: TokenUsage;
}

/** Reasons for an end that make an answer worth keeping. */
const KEPT: ReadonlySet<FinishReason> = new Set(['stop', 'length', 'tool_calls', 'function_call']);

/** Whether an answer may stand for the next one: whole, and not refused. */
export function isKept(finishReason: FinishReason, warning: string | null): boolean {
  return KEPT.has(finishReason) && warning === null;
}

/** The beginning of the keys of an account. */
export function keyPrefixOf(userId: string): string {
  return `answer:${userId}:`;
}

/** The key of a call: its owner, and a hash of everything that shapes the answer. */
export function keyOf({ userId, request, native }: ModelCall, models: readonly string[]): string {
  const { model, stream, ...body } = native?.body ?? {};
  const shape = { models, request, ...(native && { wire: native.wire, path: native.path, body }) };
  return keyPrefixOf(userId) + createHash('sha256').update(canonical(shape)).digest('base64url');
}

/** JSON whose fields are in one order, whatever order the caller wrote them in. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}

/** The events that a caller of the stream would have seen, the text of a choice in one piece. */
export function* replay(
  { model, ignored, completion, finishReason, usage }: CachedAnswer,
  record: AttemptOfHit,
) {
  yield { type: 'started', model, ignored, cached: true } satisfies ModelEvent;
  for (const chunk of chunksOf(completion)) yield { type: 'chunk', chunk } satisfies ModelEvent;
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

/** A whole answer in chunks: one with the role, one with everything that was said, one with the end; usage last. */
function chunksOf({ id, created, model, choices, usage }: ChatCompletion): ChatChunk[] {
  const head = { id, object: 'chat.completion.chunk', created, model } as const;
  const said = choices.flatMap(({ index, message, logprobs, finish_reason }): ChatChunk[] => {
    const { role, content, refusal, tool_calls } = message;
    const calls = (tool_calls ?? []).flatMap((call, place) =>
      call.type === 'function'
        ? [{ index: place, id: call.id, type: call.type, function: call.function }]
        : [],
    );
    const delta = { ...extrasOf(message), content, refusal, ...(calls.length > 0 && { tool_calls: calls }) };
    return [
      { ...head, choices: [{ index, delta: { role, content: '' }, finish_reason: null }] },
      { ...head, choices: [{ index, delta, logprobs, finish_reason: null }] },
      { ...head, choices: [{ index, delta: {}, finish_reason }] },
    ];
  });
  return usage ? [...said, { ...head, choices: [], usage }] : said;
}

/** What hosts put into a message beside what the common tongue has for it: reasoning, the provider's own blocks. */
function extrasOf(message: AnswerMessage): Record<string, unknown> {
  const known = new Set(['role', 'content', 'refusal', 'tool_calls']);
  return Object.fromEntries(
    Object.entries(message).filter(([name, value]: [string, unknown]) => !known.has(name) && value !== null),
  );
}
