import { describe, expect, it } from '@jest/globals';
import {
  applyCallPiece,
  ToolCallBuffer,
  toolCallPieceAt,
  toToolCalls,
  toOpenAiToolCalls,
  generatedText,
} from './tool-calls.js';

const call = (id: string, text = '{}') => ({ id, name: 'f', arguments: text });

describe('tool calls sent in pieces', () => {
  const calls = [call('a'), call('b', '{"n":1}')];

  it('are complete again once all pieces are read', () => {
    let read: readonly ReturnType<typeof call>[] | undefined = [];
    let at = 0;
    for (
      let piece = toolCallPieceAt(calls, at, 3);
      piece !== undefined;
      piece = toolCallPieceAt(calls, at, 3)
    ) {
      read = applyCallPiece(read ?? [], piece);
      at = piece.end;
    }
    expect(read).toEqual(calls);
  });

  it('are not sent again from a position at their end', () => {
    expect(toolCallPieceAt(calls, 11, 100)).toBeUndefined();
  });

  it('never split a surrogate pair, unless only half of it fits', () => {
    const emoji = [call('a', '"😀"')];
    expect(toolCallPieceAt(emoji, 1, 2)).toMatchObject({ delta: '"', end: 2 });
    expect(toolCallPieceAt(emoji, 2, 1)).toMatchObject({ delta: '😀'.charAt(0), end: 3 });
  });

  it('are not changed by a piece that is already known, or by arguments without a call', () => {
    expect(applyCallPiece(calls, { type: 'call', at: 0, id: 'a', name: 'f' })).toBeUndefined();
    expect(applyCallPiece([call('a')], { type: 'arguments', at: 1, delta: '{' })).toBeUndefined();
    expect(applyCallPiece([], { type: 'arguments', at: 0, delta: '{' })).toBeUndefined();
  });
});

describe('ToolCallBuffer', () => {
  const grown = (...deltas: Parameters<ToolCallBuffer['add']>[0][]) => {
    const calls = new ToolCallBuffer();
    const pieces = deltas.map((delta) => calls.add(delta));
    return { calls: calls.all(), pieces };
  };

  it.each<[string, Parameters<ToolCallBuffer['add']>[0][], object[]]>([
    [
      'a second call with the index of the first starts with its own id and name',
      [
        { index: 0, id: 'a', function: { name: 'f', arguments: '{}' } },
        { index: 0, id: 'b', function: { name: 'g', arguments: '[]' } },
      ],
      [call('a'), { id: 'b', name: 'g', arguments: '[]' }],
    ],
    [
      'another id without a name continues the call',
      [
        { index: 0, id: 'a', function: { name: 'f', arguments: '{' } },
        { index: 0, id: 'b', function: { arguments: '}' } },
      ],
      [call('a')],
    ],
    [
      'a repeated id continues the call',
      [
        { index: 0, id: 'a', function: { name: 'f', arguments: '{' } },
        { index: 0, id: 'a', function: { name: 'f', arguments: '}' } },
      ],
      [call('a')],
    ],
    [
      'a call may have neither name nor arguments',
      [{ index: 0, id: 'a' }],
      [{ id: 'a', name: '', arguments: '' }],
    ],
    [
      'characters that cannot be stored are removed',
      [{ index: 0, id: 'a', function: { name: 'f\0', arguments: '{\0}' } }],
      [call('a')],
    ],
  ])('handles call deltas: %s', (_what, deltas, expected) => {
    expect(grown(...deltas).calls).toEqual(expected);
  });

  it('generates an id if the host sends none', () => {
    expect(grown({ index: 0, function: { name: 'f', arguments: '{}' } }).calls).toEqual([
      { ...call('a'), id: expect.stringMatching(/^call_/) },
    ]);
  });

  it('returns pieces until a call continues after another has begun', () => {
    const { pieces } = grown(
      { index: 0, id: 'a', function: { name: 'f' } },
      { index: 1, id: 'b', function: { name: 'g' } },
      { index: 1, function: { arguments: '{}' } },
      { index: 0, function: { arguments: '{}' } },
    );
    expect(pieces).toEqual([
      [{ type: 'call', at: 0, id: 'a', name: 'f' }],
      [{ type: 'call', at: 1, id: 'b', name: 'g' }],
      [{ type: 'arguments', at: 2, delta: '{}' }],
      undefined,
    ]);
  });
});

describe('stored tool calls', () => {
  it('are read back unchanged', () => {
    expect(toToolCalls(toOpenAiToolCalls([call('a')]))).toEqual([call('a')]);
  });

  it.each([
    ['null', null],
    ['an object instead of a list', {}],
    ['a list of null', [null]],
    ['a call that is a string', ['a']],
    ['a call without id', [{ function: { name: 'f', arguments: '{}' } }]],
    ['a call without function', [{ id: 'a' }]],
    ['a call whose name is not a string', [{ id: 'a', function: { name: 7, arguments: '{}' } }]],
    ['a call whose arguments are an object', [{ id: 'a', function: { name: 'f', arguments: {} } }]],
  ])('are empty if the column contains %s', (_what, stored) => {
    expect(toToolCalls(stored)).toEqual([]);
  });

  it('count with the text, because the model generated them too', () => {
    expect(generatedText({ text: 'See: ', calls: [call('a')] })).toBe('See: f{}');
  });
});
