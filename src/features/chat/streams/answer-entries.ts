import { type CallPiece, callsAfter, lengthOf, type ToolCall } from '../model/tool-calls.js';

/** One thing that happened to an answer. */
export type LogEntry =
  /** `start` is the UTF-16 offset of the text before the delta, within the attempt. */
  | { readonly type: 'delta'; readonly attempt: number; readonly start: number; readonly delta: string }
  | (CallPiece & { readonly attempt: number })
  | { readonly type: 'restarted'; readonly attempt: number; readonly model: string }
  | { readonly type: 'ended' };

/** An answer as far as a log has it. */
export interface AnswerSnapshot {
  readonly attempt: number;
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** Undefined if the log does not contain it. */
  readonly model?: string;
}

/** The text after an entry; undefined where the entry adds nothing to it, or a part before the entry is missing. */
export function applyEntry(before: AnswerSnapshot, entry: LogEntry): AnswerSnapshot | undefined {
  if (entry.type === 'ended' || entry.attempt < before.attempt || hasGapBefore(before, entry))
    return undefined;
  const { attempt } = entry;
  const isKnown = before.attempt === attempt;
  const known = isKnown ? before : { attempt, text: '', calls: [] };
  if (entry.type === 'restarted') return isKnown ? undefined : { ...known, model: entry.model };
  if (entry.type !== 'delta') {
    const calls = callsAfter(known.calls, entry);
    return calls && { ...known, calls };
  }
  const text = known.text.slice(0, entry.start) + entry.delta;
  return text.length > known.text.length ? { ...known, text } : undefined;
}

/** Returns true if text before the entry is missing because Redis was away or has lost it. */
export function hasGapBefore(known: AnswerSnapshot, entry: LogEntry): boolean {
  if (entry.type === 'ended' || entry.type === 'restarted' || entry.attempt < known.attempt) return false;
  const same = entry.attempt === known.attempt;
  if (entry.type === 'delta') return entry.start > (same ? known.text.length : 0);
  return entry.at > (same ? lengthOf(known.calls) : 0);
}

/** Joins deltas that follow each other. */
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

/** Returns an entry as the fields of an entry of a stream in Redis. */
export function toFields(entry: LogEntry): string[] {
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

/** Reads an entry from those fields; what an entry of another version lacks is empty. */
export function toEntry(fields: readonly string[]): LogEntry {
  // Names stand at even places; what a value says is no name.
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
