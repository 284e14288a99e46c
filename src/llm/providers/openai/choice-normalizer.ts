import {
  type ChatChunk,
  type ChatDelta,
  getField,
  isErrorReport,
  ProviderError,
  getStringField,
  toHostError,
} from '../../port/index.js';
import { isLogprobs, isObject } from './canonical-chunk.js';
import { toFinish } from './finish-reasons.js';
import { readContent, readText, type MessageContent, toOpenAiArguments } from './reply-parts.js';
import { ToolCallNormalizer } from './tool-call-normalizer.js';

export type ChunkChoice = ChatChunk['choices'][number];

/** A delta with reasoning, which OpenAI's types do not have; hosts stream it under this name. */
export type Delta = ChatDelta & { reasoning_content?: string };

const LEGACY_CALL = 'function_call';

/** Fields of a choice that duplicate its delta, or that belong elsewhere. */
const MOVED = new Set(['message', 'text', 'usage', 'error', 'delta', 'finish_reason', 'logprobs', 'index']);

/** Fields of a delta that are rewritten. */
const READ = new Set([
  'role',
  'content',
  'refusal',
  'reasoning_content',
  'reasoning',
  'tool_calls',
  LEGACY_CALL,
  'provider_data',
]);

/** Converts the streamed deltas of one choice to the canonical format. */
export class ChoiceNormalizer {
  private readonly calls = new ToolCallNormalizer();
  private hasOutput = false;
  private reason: ChunkChoice['finish_reason'] = null;
  private emptyReason = false;

  /** True once the choice has a finish reason. */
  get finished(): boolean {
    return this.reason !== null;
  }

  /** True while the host sends an empty string as the finish reason, where others send null. */
  get hasEmptyReason(): boolean {
    return this.emptyReason;
  }

  /** True if the choice may be complete although it has no finish reason. */
  get endsInSilence(): boolean {
    return this.hasOutput && this.calls.areWhole;
  }

  /** The finish reason of a choice that ends without one. */
  get impliedReason(): 'stop' | 'tool_calls' {
    return this.calls.hasCalls ? 'tool_calls' : 'stop';
  }

  /** True if tool calls were dropped because they never received a name. */
  get hasNamelessCalls(): boolean {
    return this.calls.hasNameless;
  }

  /** Returns true if a choice of a canonical chunk can be passed on unchanged. Has no side effects. */
  accepts({ delta: { tool_calls: calls }, finish_reason: reason }: ChunkChoice): boolean {
    // A choice ends only once.
    if (reason !== null && this.reason !== null) return false;
    return !calls || this.calls.accepts(calls);
  }

  /** Records a choice that is passed on unchanged. */
  note({ delta, finish_reason: reason }: ChunkChoice): void {
    this.reason ??= reason;
    if (delta.content || delta.tool_calls) this.hasOutput = true;
    if (delta.tool_calls) this.calls.note(delta.tool_calls);
  }

  /**
   * Converts a choice to the canonical format.
   * @throws ProviderError if the choice reports a failure
   */
  rewrite(choice: object, index: number): ChunkChoice {
    const finish = readFinish(choice);
    const written = getField(choice, 'finish_reason');
    this.emptyReason = written === '' || (this.emptyReason && written === undefined);
    const delta = this.rewriteDelta(deltaOf(choice, this.hasOutput));
    // The first reason counts: hosts repeat it beside the usage. Only a later content filter overrides it.
    const news = this.reason === null || finish === 'content_filter' ? finish : undefined;
    if (news !== undefined) this.reason = news;
    const logprobs = getField(choice, 'logprobs');
    return {
      ...omitFields(choice, MOVED),
      index,
      delta,
      finish_reason: news ?? null,
      ...(isObject(logprobs) && isLogprobs(logprobs) && { logprobs: toLogprobs(logprobs) }),
    };
  }

  private rewriteDelta(delta: object): Delta {
    const parts = readMessageContent(delta);
    const calls = getField(delta, 'tool_calls') ?? undefined;
    const tool_calls = calls === undefined ? [] : this.calls.rewrite(calls);
    if (parts.text !== '' || tool_calls.length > 0) this.hasOutput = true;
    const role = getField(delta, 'role') === 'assistant' ? { role: 'assistant' as const } : {};
    return {
      ...omitFields(delta, READ),
      ...role,
      ...(parts.reasoning !== '' && { reasoning_content: parts.reasoning }),
      // An opening delta has an empty content; a delta with only reasoning has none.
      ...((parts.text !== '' || getField(delta, 'content') === '') && { content: parts.text }),
      ...(parts.refusal !== '' && { refusal: parts.refusal }),
      ...(tool_calls.length > 0 && { tool_calls }),
      ...legacyCallOf(delta),
    };
  }
}

/** Returns the text, reasoning and refusal of a message or delta, wherever the host puts them. */
export function readMessageContent(message: object): MessageContent {
  const { text, reasoning, refusal } = readContent(getField(message, 'content'));
  const thoughts =
    readText(getField(message, 'reasoning_content')) || readText(getField(message, 'reasoning'));
  return { text, reasoning: thoughts + reasoning, refusal: readText(getField(message, 'refusal')) + refusal };
}

/**
 * Returns the finish reason of a choice; undefined while it continues.
 * @throws ProviderError if the choice reports a failure
 */
export function readFinish(choice: object): NonNullable<ChunkChoice['finish_reason']> | undefined {
  const error = getField(choice, 'error');
  const finish = toFinish(getField(choice, 'finish_reason'));
  if (isErrorReport({ error })) throw toHostError({ body: error });
  if (finish?.type !== 'failure') return finish?.reason;
  const message = `The provider ended the answer early, with the finish reason '${finish.reason}'.`;
  throw new ProviderError(finish.kind, message);
}

/** Returns `function_call`, the predecessor of tool calls. Some hosts send its arguments as an object. */
export function legacyCallOf(message: object): Record<string, unknown> {
  const call = getField(message, LEGACY_CALL);
  const [name, given] = [getStringField(call, 'name'), getField(call, 'arguments')];
  const text =
    typeof given === 'object' && given !== null
      ? toOpenAiArguments(given)
      : getStringField(call, 'arguments');
  if (name === undefined && text === undefined) return {};
  const read = { ...(name !== undefined && { name }), ...(text !== undefined && { arguments: text }) };
  return { [LEGACY_CALL]: read };
}

/** Returns the fields of an untrusted value that are not in `names`, unchanged. */
export function omitFields(value: object, names: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name)));
}

/**
 * Returns the delta of a choice, or its equivalent. Some hosts repeat the whole answer as `message` at the end,
 * which counts only if nothing came before; the older format has `text`.
 */
function deltaOf(choice: object, hasSaid: boolean): object {
  const delta = getField(choice, 'delta');
  if (isObject(delta)) return delta;
  if (typeof delta === 'string') return { content: delta };
  const message = getField(choice, 'message');
  if (isObject(message)) return hasSaid ? {} : message;
  if (typeof message === 'string') return hasSaid ? {} : { content: message };
  const text = getField(choice, 'text');
  return typeof text === 'string' ? { content: text } : {};
}

function toLogprobs(value: object): NonNullable<ChunkChoice['logprobs']> {
  const { content = null, refusal = null }: Partial<NonNullable<ChunkChoice['logprobs']>> = value;
  return { content, refusal };
}
