import { describe, expect, it } from '@jest/globals';
import {
  hasGapBefore,
  type LogEntry,
  type AnswerSnapshot,
  mergeEntries,
  applyEntry,
  parseStreamFields,
  toStreamFields,
} from './answer-entries.js';

const delta = (start: number, text: string, attempt = 1): LogEntry => ({
  ...{ type: 'delta', attempt },
  ...{ start, delta: text },
});
const call = (at: number, id: string, attempt = 1): LogEntry => ({
  type: 'call',
  attempt,
  at,
  id,
  name: 'f',
});
const args = (at: number, text: string, attempt = 1): LogEntry => ({
  ...{ type: 'arguments', attempt },
  ...{ at, delta: text },
});
const restarted = (attempt: number): LogEntry => ({ type: 'restarted', attempt, model: 'demo/other' });
const ended: LogEntry = { type: 'ended' };

const known: AnswerSnapshot = {
  attempt: 2,
  text: 'abc',
  calls: [{ id: 'a', name: 'f', arguments: '{' }],
};

describe('a snapshot that is read from the log', () => {
  it('equals the answer that was logged', () => {
    const entries = [
      delta(0, 'Hel'),
      delta(3, 'lo'),
      call(0, 'a'),
      args(1, '{'),
      args(2, '}'),
      restarted(2),
      delta(0, 'abc', 2),
      call(0, 'b', 2),
      ended,
    ];
    let text: AnswerSnapshot = { attempt: 1, text: '', calls: [] };
    for (const entry of mergeEntries(entries).map(toStreamFields).map(parseStreamFields))
      text = applyEntry(text, entry) ?? text;
    expect(text).toEqual({
      attempt: 2,
      text: 'abc',
      calls: [{ id: 'b', name: 'f', arguments: '' }],
      model: 'demo/other',
    });
  });

  it.each<[string, LogEntry, AnswerSnapshot]>([
    ['the part of a text that is new', delta(1, 'bcd', 2), { ...known, text: 'abcd' }],
    [
      'the part of the arguments that is new',
      args(1, '{}', 2),
      { ...known, calls: [{ id: 'a', name: 'f', arguments: '{}' }] },
    ],
    [
      'the next call',
      call(2, 'b', 2),
      { ...known, calls: [...known.calls, { id: 'b', name: 'f', arguments: '' }] },
    ],
    [
      'the text of a later attempt without the earlier text',
      delta(0, 'x', 3),
      { attempt: 3, text: 'x', calls: [] },
    ],
    ['the model of a later attempt', restarted(3), { attempt: 3, text: '', calls: [], model: 'demo/other' }],
  ])('applies %s', (_what, entry, expected) => {
    expect(applyEntry(known, entry)).toEqual(expected);
    expect(hasGapBefore(known, entry)).toBe(false);
  });

  it.each<[string, LogEntry]>([
    ['a text that it already has', delta(0, 'abc', 2)],
    ['a call that it already has', call(0, 'a', 2)],
    ['arguments that it already has', args(1, '{', 2)],
    ['a text of an earlier attempt', delta(3, 'd', 1)],
    ['a call of an earlier attempt', call(9, 'b', 1)],
    ['the beginning of its own attempt', restarted(2)],
    ['the end', ended],
  ])('is not changed by %s', (_what, entry) => {
    expect(applyEntry(known, entry)).toBeUndefined();
    expect(hasGapBefore(known, entry)).toBe(false);
  });

  it.each<[string, LogEntry]>([
    ['text', delta(4, 'e', 2)],
    ['a call', call(3, 'b', 2)],
    ['arguments', args(3, '}', 2)],
    ['text of a later attempt', delta(1, 'x', 3)],
    ['a call of a later attempt', call(1, 'b', 3)],
  ])('waits for the row if %s before an entry is missing', (_what, entry) => {
    expect(hasGapBefore(known, entry)).toBe(true);
    expect(applyEntry(known, entry)).toBeUndefined();
  });
});

describe('mergeEntries', () => {
  it.each<[string, LogEntry[]]>([
    ['texts with a gap between them', [delta(0, 'a'), delta(2, 'c')]],
    ['texts of two attempts', [delta(0, 'a'), delta(1, 'b', 2)]],
    ['arguments with a gap between them', [args(1, '{'), args(3, '}')]],
    ['arguments of two attempts', [args(1, '{'), args(2, '}', 2)]],
    ['a text and arguments', [delta(0, 'a'), args(1, '{')]],
    ['calls', [call(0, 'a'), call(1, 'b')]],
  ])('does not join %s', (_what, entries) => {
    expect(mergeEntries(entries)).toEqual(entries);
  });

  it('joins deltas if one continues where the other ends', () => {
    expect(mergeEntries([delta(0, 'a'), delta(1, 'b'), args(1, '{'), args(2, '}')])).toEqual([
      delta(0, 'ab'),
      args(1, '{}'),
    ]);
  });
});

describe('a log entry in Redis', () => {
  it('is parsed correctly if its text equals the name of a field', () => {
    const entry = delta(0, 'attempt');
    expect(parseStreamFields(toStreamFields(entry))).toEqual(entry);
    expect(parseStreamFields(toStreamFields(args(1, 'delta')))).toEqual(args(1, 'delta'));
  });

  it('parses a call without a name', () => {
    expect(parseStreamFields(['attempt', '1', 'at', '0', 'call', 'a'])).toEqual({
      ...call(0, 'a'),
      name: '',
    });
  });
});
