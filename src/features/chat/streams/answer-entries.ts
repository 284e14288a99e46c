import { type CallPiece, applyCallPiece, toolCallsLength, type ToolCall } from '../model/tool-calls.js';

/** One event of an answer. */
export type LogEntry =
  /** `start` is the UTF-16 offset in the attempt at which the delta begins. */
  | { readonly type: 'delta'; readonly attempt: number; readonly start: number; readonly delta: string }
  | (CallPiece & { readonly attempt: number })
  | { readonly type: 'restarted'; readonly attempt: number; readonly model: string }
  | { readonly type: 'ended' };

/** An answer as far as a log contains it. */
export interface AnswerSnapshot {
  readonly attempt: number;
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** Undefined if the log does not contain it. */
  readonly model?: string;
}

/** Returns the snapshot after an entry; undefined if the entry adds nothing, or if content before it is missing. */
export function applyEntry(before: AnswerSnapshot, entry: LogEntry): AnswerSnapshot | undefined {
  if (entry.type === 'ended' || entry.attempt < before.attempt || hasGapBefore(before, entry))
    return undefined;
  const { attempt } = entry;
  const isKnown = before.attempt === attempt;
  const known = isKnown ? before : { attempt, text: '', calls: [] };
  if (entry.type === 'restarted') return isKnown ? undefined : { ...known, model: entry.model };
  if (entry.type !== 'delta') {
    const calls = applyCallPiece(known.calls, entry);
    return calls && { ...known, calls };
  }
  const text = known.text.slice(0, entry.start) + entry.delta;
  return text.length > known.text.length ? { ...known, text } : undefined;
}

/** Returns true if content before the entry is missing because Redis was unavailable or has lost it. */
export function hasGapBefore(known: AnswerSnapshot, entry: LogEntry): boolean {
  if (entry.type === 'ended' || entry.type === 'restarted' || entry.attempt < known.attempt) return false;
  const same = entry.attempt === known.attempt;
  if (entry.type === 'delta') return entry.start > (same ? known.text.length : 0);
  return entry.at > (same ? toolCallsLength(known.calls) : 0);
}

/** Joins consecutive deltas. */
export function mergeEntries(entries: readonly LogEntry[]): LogEntry[] {
  const result: LogEntry[] = [];
  for (const entry of entries) {
    const before = result.at(-1);
    if (
      entry.type === 'delta' &&
      before?.type === 'delta' &&
      before.attempt === entry.attempt &&
      before.start + before.delta.length === entry.start
    ) {
      result[result.length - 1] = { ...before, delta: before.delta + entry.delta };
    } else if (
      entry.type === 'arguments' &&
      before?.type === 'arguments' &&
      before.attempt === entry.attempt &&
      before.at + before.delta.length === entry.at
    ) {
      result[result.length - 1] = { ...before, delta: before.delta + entry.delta };
    } else result.push(entry);
  }
  return result;
}

/** Converts an entry to the fields of a Redis stream entry. */
export function toStreamFields(entry: LogEntry): string[] {
  switch (entry.type) {
    case 'delta':
      return ['attempt', String(entry.attempt), 'start', String(entry.start), 'delta', entry.delta];
    case 'call':
      return ['attempt', String(entry.attempt), 'at', String(entry.at), 'call', entry.id, 'name', entry.name];
    case 'arguments':
      return ['attempt', String(entry.attempt), 'at', String(entry.at), 'arguments', entry.delta];
    case 'restarted':
      return ['attempt', String(entry.attempt), 'model', entry.model];
    case 'ended':
      return ['ended', ''];
  }
}

/** Parses an entry from those fields; fields missing in an entry of another version are empty. */
export function parseStreamFields(fields: readonly string[]): LogEntry {
  // Names are at even indexes; a value that equals a name does not count.
  const valueOf = (name: string): string | undefined =>
    fields.find((_, index) => index % 2 === 1 && fields[index - 1] === name);
  const attempt = Number(valueOf('attempt'));
  const model = valueOf('model');
  const delta = valueOf('delta');
  if (delta !== undefined) return { type: 'delta', attempt, start: Number(valueOf('start')), delta };
  const at = Number(valueOf('at'));
  const id = valueOf('call');
  if (id !== undefined) return { type: 'call', attempt, at, id, name: valueOf('name') ?? '' };
  const argumentsDelta = valueOf('arguments');
  if (argumentsDelta !== undefined) return { type: 'arguments', attempt, at, delta: argumentsDelta };
  return model === undefined ? { type: 'ended' } : { type: 'restarted', attempt, model };
}
