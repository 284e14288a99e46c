import { newId } from '../../../common/ids.js';
import { stripNul, toStorableJson } from '../../../common/stored-text.js';
import type { ChatChunk } from '../../../llm/index.js';
import { TextBuffer } from './text-buffer.js';
import { SurrogateJoiner } from './surrogate-joiner.js';

/** Maximum length of the id of a call, in UTF-16 units. */
export const MAX_CALL_ID = 256;

/** Maximum number of tool results in one request. */
export const MAX_TOOL_RESULTS = 1_000;

/** A tool call of an answer. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON as the model wrote it. */
  readonly arguments: string;
}

/** A tool call in the canonical format (OpenAI Chat Completions), as stored in rows. */
export interface OpenAiToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

/**
 * The sequence of pieces that tool calls consist of: the start of a call, which counts as 1, then its arguments,
 * which count as their UTF-16 length. `at` is the total length of the pieces before it.
 */
export type CallPiece =
  | { readonly type: 'call'; readonly at: number; readonly id: string; readonly name: string }
  | { readonly type: 'arguments'; readonly at: number; readonly delta: string };

type CallDelta = NonNullable<ChatChunk['choices'][number]['delta']['tool_calls']>[number];

/** A piece together with the index of its call. */
export type PositionedPiece = CallPiece & {
  readonly index: number;
  /** The total length up to and including this piece. */
  readonly end: number;
};

/** Returns the length of tool calls, measured like their pieces. */
export function toolCallsLength(calls: readonly ToolCall[]): number {
  return calls.reduce((sum, call) => sum + 1 + call.arguments.length, 0);
}

/** Returns the calls with the next piece, or its new part, added; undefined if they already contain all of it. */
export function applyCallPiece(
  calls: readonly ToolCall[],
  piece: CallPiece,
): readonly ToolCall[] | undefined {
  const known = toolCallsLength(calls);
  if (piece.type === 'call') {
    return piece.at < known ? undefined : [...calls, { id: piece.id, name: piece.name, arguments: '' }];
  }
  const news = piece.delta.slice(known - piece.at);
  const last = calls.at(-1);
  if (news === '' || last === undefined) return undefined;
  return [...calls.slice(0, -1), { ...last, arguments: last.arguments + news }];
}

/** Returns the piece of the calls at a position, of at most `most` UTF-16 units; never splits a character. */
export function toolCallPieceAt(
  calls: readonly ToolCall[],
  from: number,
  most: number,
): PositionedPiece | undefined {
  const texts = calls.map(({ id, name, arguments: text }) => ({ id, name, text }));
  return pieceOf(texts, from, most);
}

/** Source of pieces, either complete or still growing. */
interface Sliceable {
  readonly length: number;
  slice(from: number, to: number): string;
}

function pieceOf(
  calls: readonly { readonly id: string; readonly name: string; readonly text: Sliceable }[],
  from: number,
  most: number,
): PositionedPiece | undefined {
  let start = 0;
  for (const [index, { id, name, text }] of calls.entries()) {
    if (from === start) return { type: 'call', at: from, index, id, name, end: from + 1 };
    const end = start + 1 + text.length;
    if (from < end) {
      const offset = from - start - 1;
      const piece = text.slice(offset, Math.min(text.length, offset + most));
      const cut = offset + piece.length < text.length && /[\ud800-\udbff]$/.test(piece) && piece.length > 1;
      const delta = cut ? piece.slice(0, -1) : piece;
      return { type: 'arguments', at: from, index, delta, end: from + delta.length };
    }
    start = end;
  }
  return undefined;
}

/** A tool call that is still growing. */
interface GrowingCall {
  /** The index in the call's chunks. */
  readonly key: number;
  readonly id: string;
  readonly name: string;
  readonly text: TextBuffer;
  readonly characters: SurrogateJoiner;
}

/** Collects tool calls as a model generates them. */
export class ToolCallBuffer {
  private readonly calls: GrowingCall[] = [];

  /** Total length, measured like the pieces. */
  length = 0;

  /**
   * Adds the delta of a chunk.
   * @returns the pieces that it adds; undefined if it continues a call after which others have begun, so that it
   *   cannot be sent in order
   */
  add({ index, id, function: called }: CallDelta): CallPiece[] | undefined {
    const pieces: CallPiece[] = [];
    const last = this.calls.at(-1);
    const known = this.calls.findLast(({ key }) => key === index);
    // Hosts that give all calls the same index start each one with an id of its own.
    const begins = known === undefined || (Boolean(id) && id !== known.id && Boolean(called?.name));
    const taken = new Set(this.calls.map((one) => one.id));
    const call = begins ? newCall(index, taken.has(id ?? '') ? undefined : id, called?.name) : known;
    if (begins) {
      pieces.push({ type: 'call', at: this.length, id: call.id, name: call.name });
      this.calls.push(call);
      this.length += 1;
    }
    const delta = call.characters.push(stripNul(called?.arguments ?? ''));
    if (delta !== '') {
      pieces.push({ type: 'arguments', at: this.length, delta });
      call.text.append(delta);
      this.length += delta.length;
    }
    return begins || known === last ? pieces : undefined;
  }

  /** Returns the piece at a position, without joining the text received so far. */
  pieceAt(from: number, most: number): PositionedPiece | undefined {
    return pieceOf(this.calls, from, most);
  }

  /** Returns all calls so far. */
  all(): ToolCall[] {
    return this.calls.map(({ id, name, text }) => ({ id, name, arguments: text.toString() }));
  }
}

function newCall(key: number, id: string | undefined, name = ''): GrowingCall {
  const given = stripNul(id ?? '').toWellFormed();
  return {
    key,
    // Results refer to a call by id, so it needs a unique one of an acceptable length.
    id: given === '' || given.length > MAX_CALL_ID ? `call_${newId()}` : given,
    name: stripNul(name).toWellFormed(),
    text: new TextBuffer(),
    characters: new SurrogateJoiner(),
  };
}

/** Converts calls to the canonical format (OpenAI Chat Completions). */
export function toOpenAiToolCalls(calls: readonly ToolCall[]): OpenAiToolCall[] {
  return calls.map(({ id, name, arguments: text }) => ({
    id,
    type: 'function',
    function: { name, arguments: text },
  }));
}

/** Returns everything that a model wrote in an answer, from which its cost is estimated. */
export function generatedText({
  text,
  calls,
}: {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}): string {
  return text + calls.map(({ name, arguments: given }) => name + given).join('');
}

/** Parses the calls of a row. */
export function toToolCalls(stored: unknown): ToolCall[] {
  return Array.isArray(stored) ? stored.filter(isOpenAiToolCall).map(toToolCall) : [];
}

function toToolCall({ id, function: { name, arguments: text } }: OpenAiToolCall): ToolCall {
  return { id, name, arguments: text };
}

function isOpenAiToolCall(value: unknown): value is OpenAiToolCall {
  const called: unknown = propertyOf(value, 'function');
  return (
    typeof propertyOf(value, 'id') === 'string' &&
    typeof propertyOf(called, 'name') === 'string' &&
    typeof propertyOf(called, 'arguments') === 'string'
  );
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** Serializes calls for storage; null if there are none. */
export function serializeToolCalls(calls: readonly ToolCall[]): string | null {
  return calls.length === 0 ? null : toStorableJson(toOpenAiToolCalls(calls));
}
