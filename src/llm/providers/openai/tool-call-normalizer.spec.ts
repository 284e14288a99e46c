import { describe, expect, it } from '@jest/globals';
import { CompletionAssembler } from '../../port/index.js';
import { ChunkNormalizer } from './chunk-normalizer.js';

// Via the chunks, because they decide which calls are passed on unread.
const normalizerOf = () => new ChunkNormalizer({ id: 'head', created: 2, model: 'asked' });
const chunkOf = (tool_calls: unknown) => ({
  ...{ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' },
  choices: [{ index: 0, delta: { tool_calls }, finish_reason: null }],
});
const callOf = (...tool_calls: unknown[]) => chunkOf(tool_calls);
const opening = (index: number, id: string, name: string, args = '') => ({
  index,
  id,
  type: 'function',
  function: { name, arguments: args },
});

/** Returns the calls that a client assembles from the chunks, each as `id name arguments`. */
function callsIn(...values: readonly object[]): string[] {
  const [normalizer, assembler] = [normalizerOf(), new CompletionAssembler()];
  for (const value of values) {
    const normalized = normalizer.normalize(value, JSON.stringify(value));
    if (normalized !== undefined) assembler.add(normalized.chunk);
  }
  const calls = assembler.completion().choices[0]?.message.tool_calls ?? [];
  return calls.map((one) =>
    one.type === 'function' ? `${one.id} ${one.function.name} ${one.function.arguments}` : one.type,
  );
}

describe('the tool calls of a stream are kept apart', () => {
  it.each<[string, object[], string[]]>([
    [
      'id and name are repeated with every fragment',
      [callOf(opening(0, 'a', 'f')), callOf(opening(0, 'a', 'f', '{')), callOf(opening(0, 'a', 'f', '}'))],
      ['a f {}'],
    ],
    [
      'id and name are repeated with nothing else',
      [callOf(opening(0, 'a', 'f', '{}')), callOf(opening(0, 'a', 'f'))],
      ['a f {}'],
    ],
    [
      'the second one has the index of the first',
      [
        callOf(opening(0, 'a', 'f', '{}')),
        callOf(opening(0, 'b', 'g', '{')),
        callOf({ index: 0, function: { arguments: '}' } }),
      ],
      ['a f {}', 'b g {}'],
    ],
    [
      'two grow side by side, and only their order distinguishes them',
      [
        callOf(
          { id: 'a', function: { name: 'f', arguments: '{' } },
          { id: 'b', function: { name: 'g', arguments: '[' } },
        ),
        callOf({ function: { arguments: '}' } }, { function: { arguments: ']' } }),
      ],
      ['a f {}', 'b g []'],
    ],
    ['the index is written as a text', [callOf({ ...opening(0, 'a', 'f', '{}'), index: '0' })], ['a f {}']],
    [
      'two come in one chunk',
      [callOf(opening(0, 'a', 'f', '{}'), opening(1, 'b', 'g', '{}'))],
      ['a f {}', 'b g {}'],
    ],
    [
      'a fragment names its call by the id alone',
      [
        callOf(opening(0, 'a', 'f', '{')),
        callOf(opening(1, 'b', 'g', '{}')),
        callOf({ id: 'a', function: { arguments: '}' } }),
      ],
      ['a f {}', 'b g {}'],
    ],
    [
      'a fragment has the id of its call and an index that is new',
      [callOf(opening(0, 'a', 'f', '{')), callOf({ index: 1, id: 'a', function: { arguments: '}' } })],
      ['a f {}'],
    ],
    [
      'a fragment has the id of one call and the index of another',
      [
        callOf(opening(0, 'a', 'f', '{')),
        callOf(opening(1, 'b', 'g', '{}')),
        callOf({ index: 1, id: 'a', function: { arguments: '}' } }),
      ],
      ['a f {}', 'b g {}'],
    ],
    [
      'the id and the name come after the first arguments',
      [
        callOf({ index: 0, function: { arguments: '{' } }),
        callOf({ index: 0, id: 'a', function: { name: 'f', arguments: '}' } }),
      ],
      ['a f {}'],
    ],
    [
      'every fragment has another id and none has an index',
      [
        callOf({ id: 'a', function: { name: 'f', arguments: '{' } }),
        callOf({ id: 'b', function: { arguments: '}' } }),
      ],
      ['a f {}'],
    ],
    [
      'the name of the second one comes after its id, and none has an index',
      [
        callOf({ id: 'a', function: { name: 'f', arguments: '{}' } }),
        callOf({ id: 'b', function: { arguments: '{"n":' } }),
        callOf({ id: 'b', function: { name: 'g', arguments: '1}' } }),
      ],
      ['a f {}', 'b g {"n":1}'],
    ],
    [
      'name and arguments stand beside the id',
      [callOf({ index: 0, id: 'a', name: 'f', arguments: '{}' })],
      ['a f {}'],
    ],
    ['they are an object in place of a list', [chunkOf(opening(0, 'a', 'f', '{}'))], ['a f {}']],
    [
      'the function of a fragment is a text',
      [callOf(opening(0, 'a', 'f', '{}')), callOf({ index: 0, function: 'f' })],
      ['a f {}'],
    ],
    [
      'the name is no text',
      [callOf({ ...opening(0, 'a', 'f'), function: { name: 7, arguments: '{}' } })],
      [],
    ],
  ])('if %s', (_what, values, expected) => {
    expect(callsIn(...values)).toEqual(expected);
  });

  it.each<[string, object[], string[]]>([
    [
      'both are calls of one tool and neither has an id or an index',
      [
        callOf({ function: { name: 'f', arguments: '{}' } }),
        callOf({ function: { name: 'f', arguments: '{}' } }),
      ],
      ['f {}', 'f {}'],
    ],
    [
      'both have one index, no id and their arguments in later fragments',
      [
        callOf({ index: 0, function: { name: 'f', arguments: '' } }),
        callOf({ index: 0, function: { arguments: '{"a":1}' } }),
        callOf({ index: 0, function: { name: 'f', arguments: '' } }),
        callOf({ index: 0, function: { arguments: '{"a":2}' } }),
      ],
      ['f {"a":1}', 'f {"a":2}'],
    ],
    [
      'both have one index and no id, and only the first one is in the canonical format',
      [
        callOf(opening(0, 'a', 'f')),
        callOf({ index: 0, function: { arguments: '{"a":' } }),
        callOf({ index: 0, function: { arguments: '1}' } }),
        callOf({ index: 0, function: { name: 'f', arguments: '{"a":2}' } }),
      ],
      ['f {"a":1}', 'f {"a":2}'],
    ],
    [
      'both come in one chunk without arguments, an id or an index',
      [callOf({ function: { name: 'f', arguments: '' } }, { function: { name: 'f', arguments: '' } })],
      ['f ', 'f '],
    ],
    [
      'both come in one chunk without arguments and an id, under one index',
      [
        callOf(
          { index: 0, function: { name: 'f', arguments: '' } },
          { index: 0, function: { name: 'f', arguments: '' } },
        ),
      ],
      ['f ', 'f '],
    ],
    [
      'they are calls of two tools and neither has an id or an index',
      [
        callOf({ function: { name: 'f', arguments: '{' } }),
        callOf({ function: { name: 'g', arguments: '{}' } }),
      ],
      ['f {', 'g {}'],
    ],
    [
      'the name of the only one is repeated before it is whole',
      [
        callOf({ function: { name: 'f', arguments: '{' } }),
        callOf({ function: { name: 'f', arguments: '}' } }),
      ],
      ['f {}'],
    ],
    [
      'the second one has the id of the first',
      [callOf(opening(0, 'a', 'f', '{}')), callOf(opening(1, 'a', 'g', '{}'))],
      ['f {}', 'g {}'],
    ],
    [
      'the id of the first comes after its name',
      [
        callOf({ index: 0, function: { name: 'f', arguments: '{' } }),
        callOf({ index: 0, id: 'a', function: { arguments: '}' } }),
      ],
      ['f {}'],
    ],
  ])('and get unique ids if %s', (_what, values, expected) => {
    const calls = callsIn(...values);
    const ids = calls.map((call) => call.split(' ', 1)[0]);
    expect(ids.every((id) => id !== undefined && id !== '')).toBe(true);
    expect(new Set(ids).size).toBe(expected.length);
    expect(calls.map((call) => call.slice(call.indexOf(' ') + 1))).toEqual(expected);
  });

  it('and one that never gets a name is reported', () => {
    const normalizer = normalizerOf();
    for (const value of [
      callOf({ index: 0, id: 'a', function: { arguments: '{}' } }),
      callOf({ index: 0 }),
    ]) {
      normalizer.normalize(value, JSON.stringify(value));
    }
    expect(normalizer.hasNamelessCalls).toBe(true);
  });
});

describe('fields of a tool call beyond the canonical format', () => {
  const signed = { extra_content: { google: { thought_signature: 'SIG' } } };

  /** Returns the deltas that are passed on for the calls of the chunks. */
  function deltasIn(...values: readonly object[]): object[] {
    const normalizer = normalizerOf();
    return values.flatMap((value) =>
      (normalizer.normalize(value, JSON.stringify(value))?.chunk.choices ?? []).flatMap(
        ({ delta: { tool_calls: calls } }) => calls ?? [],
      ),
    );
  }

  it.each<[string, object[]]>([
    [
      'two calls come in one chunk',
      [callOf({ ...opening(0, 'a', 'f', '{}'), ...signed }, opening(1, 'b', 'g', '{}'))],
    ],
    ['the call has no index', [callOf({ ...opening(0, 'a', 'f', '{}'), ...signed, index: undefined })]],
    ['the call has an empty id', [callOf({ ...opening(0, '', 'f', '{}'), ...signed })]],
    ['the call has no type', [callOf({ ...opening(0, 'a', 'f', '{}'), ...signed, type: undefined })]],
    [
      'the arguments are an object',
      [callOf({ ...opening(0, 'a', 'f'), function: { name: 'f', arguments: {} }, ...signed })],
    ],
    [
      'they come with a repeated id after the call',
      [callOf(opening(0, 'a', 'f', '{}')), callOf({ index: 0, id: 'a', ...signed })],
    ],
    [
      'they come before the name',
      [callOf({ index: 0, id: 'a', ...signed }), callOf({ index: 0, function: { name: 'f' } })],
    ],
    ['name and arguments are beside the id', [callOf({ id: 'a', name: 'f', arguments: '{}', ...signed })]],
  ])('are passed on if %s', (_what, values) => {
    const deltas = deltasIn(...values);
    expect(deltas.filter((one) => 'extra_content' in one)).toEqual([
      expect.objectContaining({ index: 0, ...signed }),
    ]);
    for (const one of deltas) expect(one).not.toHaveProperty('name');
  });

  it('are passed on once, because clients join the texts of repeated fields', () => {
    const piece = (args: string) => callOf({ ...opening(0, 'a', 'f', args), ...signed, note: null });
    const deltas = deltasIn(piece('{'), piece(''), piece('}'));
    expect(deltas.map((one) => 'extra_content' in one)).toEqual([true, false]);
  });

  it('are passed on for the function, too', () => {
    expect(
      deltasIn(callOf({ index: 0, id: 'a', function: { name: 'f', arguments: '{}', strict: true } })),
    ).toEqual([
      { index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{}', strict: true } },
    ]);
  });
});
