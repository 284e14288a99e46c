import {
  type ChatChunk,
  type ChatDelta,
  fieldOf,
  isErrorReport,
  ProviderError,
  textField,
  toHostError,
} from '../../port/index.js';
import { isLogprobs, isObject } from './canonical-chunk.js';
import { toFinish } from './finish-reasons.js';
import { readContent, readText, type Said } from './reply-parts.js';
import { ToolCallNormaliser } from './tool-call-normaliser.js';

export type ChunkChoice = ChatChunk['choices'][number];

/** Reasoning has no place in OpenAI's types; the hosts that stream it do so under this name. */
export type Delta = ChatDelta & { reasoning_content?: string };

const LEGACY_CALL = 'function_call';

/** Fields of a choice that say what its delta says, or what belongs elsewhere. */
const MOVED = new Set(['message', 'text', 'usage', 'error', 'delta', 'finish_reason', 'logprobs', 'index']);

/** Fields of a delta that are written anew. */
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

/** Brings what a host streams of one choice into the canonical format. */
export class ChoiceNormaliser {
  private readonly calls = new ToolCallNormaliser();
  private said = false;
  private reason: ChunkChoice['finish_reason'] = null;
  /** True while the host writes an empty text for the reason, where others write null. */
  private emptyReason = false;

  /** True once the choice has a finish reason. */
  get finished(): boolean {
    return this.reason !== null;
  }

  /** Whether the host has no other word for an end than an empty text and the end of its stream. */
  get endsInSilence(): boolean {
    return this.emptyReason && this.said;
  }

  /** Whether tool calls came that were left out, because nothing ever named their tool. */
  get hasNamelessCalls(): boolean {
    return this.calls.hasNameless;
  }

  /** Whether a choice of a canonical chunk can be passed on as it is. Changes nothing. */
  accepts({ delta: { tool_calls: calls }, finish_reason: reason }: ChunkChoice): boolean {
    // A choice ends once.
    if (reason !== null && this.reason !== null) return false;
    return !calls || this.calls.accepts(calls);
  }

  /** Notes a choice that is passed on as it is. */
  note({ delta, finish_reason: reason }: ChunkChoice): void {
    this.reason ??= reason;
    if (delta.content || delta.tool_calls) this.said = true;
    if (delta.tool_calls) this.calls.note(delta.tool_calls);
  }

  /**
   * Returns the choice in the canonical format.
   * @throws ProviderError for one that failed
   */
  rewrite(choice: object, index: number): ChunkChoice {
    const finish = readFinish(choice);
    const written = fieldOf(choice, 'finish_reason');
    this.emptyReason = written === '' || (this.emptyReason && written === undefined);
    const delta = this.rewriteDelta(deltaOf(choice, this.said));
    // The first reason counts: hosts repeat it beside the usage. Only a filter that comes later says more.
    const news = this.reason === null || finish === 'content_filter' ? finish : undefined;
    if (news !== undefined) this.reason = news;
    const logprobs = fieldOf(choice, 'logprobs');
    return {
      ...without(choice, MOVED),
      index,
      delta,
      finish_reason: news ?? null,
      ...(isObject(logprobs) && isLogprobs(logprobs) && { logprobs: toLogprobs(logprobs) }),
    };
  }

  private rewriteDelta(delta: object): Delta {
    const said = readSaid(delta);
    const calls = fieldOf(delta, 'tool_calls') ?? undefined;
    const tool_calls = calls === undefined ? [] : this.calls.rewrite(calls);
    if (said.text !== '' || tool_calls.length > 0) this.said = true;
    const role = fieldOf(delta, 'role') === 'assistant' ? { role: 'assistant' as const } : {};
    return {
      ...without(delta, READ),
      ...role,
      ...(said.reasoning !== '' && { reasoning_content: said.reasoning }),
      // An opening delta has an empty text; one with thoughts alone has none.
      ...((said.text !== '' || fieldOf(delta, 'content') === '') && { content: said.text }),
      ...(said.refusal !== '' && { refusal: said.refusal }),
      ...(tool_calls.length > 0 && { tool_calls }),
      ...legacyCallOf(delta),
    };
  }
}

/** Returns all that a message or delta says, wherever the host puts it. */
export function readSaid(message: object): Said {
  const { text, reasoning, refusal } = readContent(fieldOf(message, 'content'));
  const thoughts = readText(fieldOf(message, 'reasoning_content')) || readText(fieldOf(message, 'reasoning'));
  return { text, reasoning: thoughts + reasoning, refusal: readText(fieldOf(message, 'refusal')) + refusal };
}

/**
 * Returns the finish reason of a choice; undefined while it goes on.
 * @throws ProviderError for a choice that failed
 */
export function readFinish(choice: object): NonNullable<ChunkChoice['finish_reason']> | undefined {
  const error = fieldOf(choice, 'error');
  const finish = toFinish(fieldOf(choice, 'finish_reason'));
  if (isErrorReport({ error })) throw toHostError({ body: error });
  if (finish?.type !== 'failure') return finish?.reason;
  const message = `The provider ended the answer early, with the finish reason '${finish.reason}'.`;
  throw new ProviderError(finish.kind, message);
}

/** Returns the field that was there for calls before tools, if it has the types of the canonical format. */
export function legacyCallOf(message: object): Record<string, unknown> {
  const call = fieldOf(message, LEGACY_CALL);
  const [name, text] = [textField(call, 'name'), textField(call, 'arguments')];
  if (name === undefined && text === undefined) return {};
  const read = { ...(name !== undefined && { name }), ...(text !== undefined && { arguments: text }) };
  return { [LEGACY_CALL]: read };
}

/** Returns the fields of a foreign value that are not read, as they are. */
export function without(value: object, names: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name)));
}

/**
 * Returns what stands for the delta. Some hosts repeat the whole answer as `message` at the end, which counts only if
 * nothing came before; the older format has `text`.
 */
function deltaOf(choice: object, hasSaid: boolean): object {
  const delta = fieldOf(choice, 'delta');
  if (isObject(delta)) return delta;
  if (typeof delta === 'string') return { content: delta };
  const message = fieldOf(choice, 'message');
  if (isObject(message)) return hasSaid ? {} : message;
  const text = fieldOf(choice, 'text');
  return typeof text === 'string' ? { content: text } : {};
}

function toLogprobs(value: object): NonNullable<ChunkChoice['logprobs']> {
  const { content = null, refusal = null }: Partial<NonNullable<ChunkChoice['logprobs']>> = value;
  return { content, refusal };
}
