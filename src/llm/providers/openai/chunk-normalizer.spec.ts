import { describe, expect, it } from '@jest/globals';
import type { ChatChunk } from '../../port/index.js';
import { ChunkNormalizer, type NormalizedChunk } from './chunk-normalizer.js';

const HEAD = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };

const chunkOf = (delta: unknown, more: object = {}) => ({
  ...HEAD,
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});
const callOf = (...tool_calls: unknown[]) => chunkOf({ tool_calls });
const opening = (index: number, id: string, name: string, args: unknown = '') => ({
  index,
  id,
  type: 'function',
  function: { name, arguments: args },
});

const normalizerOf = () => new ChunkNormalizer({ id: 'head', created: 2, model: 'asked' });
const normalizeAll = (values: readonly object[]): (NormalizedChunk | undefined)[] => {
  const normalizer = normalizerOf();
  return values.map((value) => normalizer.normalize(value, JSON.stringify(value)));
};
const lastChunk = (...values: readonly object[]): ChatChunk | undefined => normalizeAll(values).at(-1)?.chunk;
const lastChoice = (...values: readonly object[]) => lastChunk(...values)?.choices[0];

describe('a chunk in the canonical format keeps its original text', () => {
  it.each<[string, object]>([
    ['a piece of text', chunkOf({ content: 'Hi' })],
    [
      'the usage',
      { ...HEAD, choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
    ],
    ['no choices and no usage', { ...HEAD, choices: [], usage: null }],
    ['`error` and `usage` of a choice as null', chunkOf({ content: 'Hi' }, { error: null, usage: null })],
    ['log probabilities as null', chunkOf({ content: 'Hi' }, { logprobs: null })],
    ['log probabilities', chunkOf({ content: 'Hi' }, { logprobs: { content: [], refusal: null } })],
    ['log probabilities without a refusal', chunkOf({ content: 'Hi' }, { logprobs: { content: [] } })],
    ['`tool_calls` and `function_call` as null', chunkOf({ tool_calls: null, function_call: null })],
    ['the older form of a call', chunkOf({ function_call: { name: 'f', arguments: '{}' } })],
    ['the beginning of a call', callOf(opening(0, 'a', 'f'))],
    [
      'the beginning of a call without arguments',
      callOf({ ...opening(0, 'a', 'f'), function: { name: 'f' } }),
    ],
    ['the beginning of a call with arguments as null', callOf(opening(0, 'a', 'f', null))],
  ])('with %s', (_what, value) => {
    expect(normalizeAll([value])).toEqual([{ chunk: value, raw: JSON.stringify(value) }]);
  });

  it.each<[string, object]>([
    ['alone', { index: 0, function: { arguments: '{}' } }],
    ['beside an empty id and name', { index: 0, id: '', function: { name: '', arguments: '{}' } }],
    [
      'beside an id and a name that are null',
      { index: 0, id: null, function: { name: null, arguments: '{}' } },
    ],
    ['that are null', { index: 0, function: { arguments: null } }],
    ['left out with the function', { index: 0 }],
  ])('with more arguments of a call %s', (_what, delta) => {
    const value = callOf(delta);
    expect(normalizeAll([callOf(opening(0, 'a', 'f')), value]).at(-1)).toEqual({
      chunk: value,
      raw: JSON.stringify(value),
    });
  });
});

describe('a chunk that is not in the canonical format', () => {
  it.each<[string, unknown, object]>([
    ['a text in place of a delta', { index: 0, delta: 'Hi' }, { delta: { content: 'Hi' } }],
    ['the text of the older format', { index: 0, text: 'Hi' }, { delta: { content: 'Hi' } }],
    ['a text as the message', { index: 0, message: 'Hi' }, { delta: { content: 'Hi' } }],
    [
      'an object as the arguments of the older form of a call',
      { delta: { function_call: { name: 'f', arguments: { a: 1 } } } },
      { delta: { function_call: { name: 'f', arguments: '{"a":1}' } } },
    ],
    ['the role', { delta: { role: 'assistant' } }, { delta: { role: 'assistant' } }],
    [
      'a refusal in parts',
      { delta: { content: [{ type: 'refusal', refusal: 'No' }] } },
      { delta: { refusal: 'No' } },
    ],
    ['a refusal as a list', { delta: { refusal: ['N', 'o'] } }, { delta: { refusal: 'No' } }],
    [
      'half of the older form of a call',
      { delta: { function_call: { name: 'f', arguments: null } } },
      { delta: { function_call: { name: 'f' } } },
    ],
    [
      'the other half of it',
      { delta: { function_call: { arguments: '{}' } } },
      { delta: { function_call: { arguments: '{}' } } },
    ],
    [
      'log probabilities without lists',
      { delta: {}, logprobs: {} },
      { logprobs: { content: null, refusal: null } },
    ],
    [
      'log probabilities',
      { delta: {}, logprobs: { content: [] } },
      { logprobs: { content: [], refusal: null } },
    ],
  ])('with %s is rewritten without loss', (_what, choice, expected) => {
    expect(lastChunk({ choices: [choice] })).toMatchObject({
      id: 'head',
      created: 2,
      model: 'asked',
      choices: [{ index: 0, ...expected }],
    });
  });

  it.each<[string, object, object]>([
    ['log probabilities that are a list', chunkOf({ content: 'Hi' }, { logprobs: [] }), { content: 'Hi' }],
    [
      'log probabilities whose tokens are no list',
      chunkOf({ content: 'Hi' }, { logprobs: { content: 'Hi' } }),
      { content: 'Hi' },
    ],
    ['an older call that is a text', chunkOf({ content: 'Hi', function_call: 'f' }), { content: 'Hi' }],
    [
      'data in our own field',
      chunkOf({ content: 'Hi', provider_data: { provider: 'x' } }),
      { content: 'Hi' },
    ],
    ['an error that says nothing', chunkOf({ content: 'Hi' }, { error: {} }), { content: 'Hi' }],
  ])('with %s is passed on without it', (_what, value, delta) => {
    const choice = lastChoice(value);
    expect(choice?.delta).toEqual(delta);
    expect(choice).not.toHaveProperty('logprobs');
    expect(choice).not.toHaveProperty('error');
  });

  it('only because of the arguments of an older call has them as a text', () => {
    const function_call = { name: 'f', arguments: { a: 1 } };
    expect(lastChoice(chunkOf({ function_call }))?.delta).toMatchObject({
      function_call: { arguments: '{"a":1}' },
    });
  });

  it('gets the id of the previous chunk if its own is empty', () => {
    expect(lastChunk(chunkOf({ content: 'a' }), { id: '', choices: [{ text: 'b' }] })?.id).toBe('c');
  });

  it.each<[string, object]>([
    ['choices that are no objects', { ...HEAD, choices: ['Hi'] }],
    ['nothing that belongs to an answer', { ok: true }],
  ])('with %s is not accepted as a chunk', (_what, value) => {
    expect(normalizeAll([value])).toEqual([undefined]);
  });

  it('with the usage inside a choice has it at the top level', () => {
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
    expect(lastChunk(chunkOf({ content: 'Hi' }, { usage }))?.usage).toEqual(usage);
  });
});

describe('the finish reason of a choice', () => {
  it('is sent once, even if the host repeats it', () => {
    const end = chunkOf({}, { finish_reason: 'stop' });
    expect(lastChoice(end, end)?.finish_reason).toBeNull();
  });

  it('is sent again if a filter removed the answer afterwards', () => {
    const filtered = chunkOf({}, { finish_reason: 'content_filter' });
    expect(lastChoice(chunkOf({}, { finish_reason: 'stop' }), filtered)?.finish_reason).toBe(
      'content_filter',
    );
  });

  it.each([
    ['network_error', 'broken_answer'],
    ['insufficient_system_resource', 'unavailable'],
    ['timeout', 'timed_out'],
  ])('%s is a failure of the provider', (finish_reason, kind) => {
    expect(() => lastChoice(chunkOf({}, { finish_reason }))).toThrow(expect.objectContaining({ kind }));
  });

  it('is missing until the end of the stream if the host never sends one', () => {
    const normalizer = normalizerOf();
    const value = chunkOf({ content: 'Hi' });
    normalizer.normalize(value, JSON.stringify(value));
    expect(normalizer.complete).toBe(false);
    expect(normalizer.missingFinalChunk()?.chunk.choices).toEqual([
      { index: 0, delta: {}, finish_reason: 'stop' },
    ]);
    expect([normalizer.complete, normalizer.missingFinalChunk()]).toEqual([true, undefined]);
  });
});
