import { describe, expect, it } from '@jest/globals';
import type { ChatCompletion } from '../../port/index.js';
import { readCompletion } from './completion-reader.js';

const HEAD = { id: 'head', created: 2, model: 'asked' };
const USAGE = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
const CALL = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };
const CUSTOM = { id: 'b', type: 'custom', custom: { name: 'g', input: 'x' } };

const withMessage = (message: unknown, choice: object = {}, more: object = {}) => ({
  id: 'c',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message, finish_reason: 'stop', logprobs: null, ...choice }],
  usage: USAGE,
  ...more,
});
const said = (message: object, choice: object = {}, more: object = {}) =>
  withMessage({ role: 'assistant', content: 'Hi', refusal: null, ...message }, choice, more);

const read = (value: unknown): ChatCompletion => readCompletion(value, HEAD);
const choiceOf = (value: unknown) => read(value).choices[0];

describe('a whole answer in the canonical format is passed on unchanged', () => {
  it.each<[string, object]>([
    ['a text', said({})],
    ['a text and the usage as null', said({}, {}, { usage: null })],
    ['a text and no usage', said({}, {}, { usage: undefined })],
    ['`error` and `usage` of a choice as null', said({}, { error: null, usage: null })],
    ['log probabilities', said({}, { logprobs: { content: [], refusal: null } })],
    ['reasoning', said({ reasoning_content: 'Hm', reasoning: null })],
    ['calls alone', said({ content: null, tool_calls: [CALL, CUSTOM] }, { finish_reason: 'tool_calls' })],
    ['the older form of a call', said({ content: null, function_call: { name: 'f', arguments: '{}' } })],
    ['the older form of a call as null', said({ function_call: null })],
  ])('with %s', (_what, value) => {
    expect(read(value)).toBe(value);
  });
});

describe('a whole answer that is not in the canonical format is rewritten', () => {
  it.each<[string, object, object]>([
    ['no id', { id: undefined }, { id: 'head' }],
    ['no model', { model: undefined }, { model: 'asked' }],
    ['a model that is no text', { model: 7 }, { model: 'asked' }],
    ['its time as a text', { created: '5' }, { created: 5 }],
    ['no time', { created: undefined }, { created: 2 }],
    ['the name of another object', { object: 'text_completion' }, { object: 'chat.completion' }],
    ['the usage in Groq’s place', { usage: undefined, x_groq: { usage: USAGE } }, { usage: USAGE }],
    ['usage in texts', { usage: { prompt_tokens: '1', completion_tokens: '2' } }, { usage: USAGE }],
    [
      'the prompt’s tokens alone',
      { usage: { prompt_tokens: 5 } },
      { usage: { prompt_tokens: 5, completion_tokens: 0, total_tokens: 5 } },
    ],
    [
      'the answer’s tokens alone',
      { usage: { completion_tokens: 5 } },
      { usage: { prompt_tokens: 0, completion_tokens: 5, total_tokens: 5 } },
    ],
    [
      'details of its usage that are no figures',
      { usage: { ...USAGE, completion_tokens_details: { reasoning_tokens: 'many', audio_tokens: 1 } } },
      { usage: { ...USAGE, completion_tokens_details: { audio_tokens: 1 } } },
    ],
  ])('with %s', (_what, more, expected) => {
    expect(read(said({}, {}, more))).toMatchObject({ object: 'chat.completion', ...expected });
  });

  it.each<[string, object, object]>([
    ['its index as a text', { index: '0' }, { index: 0 }],
    ['an index that is no place', { index: -1 }, { index: 0 }],
    ['a finish reason of the host', { finish_reason: 'eos' }, { finish_reason: 'stop' }],
    ['no finish reason', { finish_reason: null }, { finish_reason: 'stop' }],
    ['log probabilities that are a list', { logprobs: [] }, { logprobs: null }],
    [
      'log probabilities without their lists',
      { logprobs: {}, index: '0' },
      { logprobs: { content: null, refusal: null } },
    ],
    [
      'the lists of its log probabilities',
      { logprobs: { content: [] }, index: '0' },
      { logprobs: { content: [], refusal: null } },
    ],
    [
      'the message in place of the delta',
      { message: undefined, delta: { content: 'Hi' } },
      { finish_reason: 'stop' },
    ],
    ['its message as a text', { message: 'Hi' }, { finish_reason: 'stop' }],
    ['its delta as a text', { message: undefined, delta: 'Hi' }, { finish_reason: 'stop' }],
    ['the text of the older format', { message: undefined, text: 'Hi' }, { finish_reason: 'stop' }],
    ['an error that says nothing', { error: false }, { finish_reason: 'stop' }],
    ['the usage beside its message', { usage: USAGE }, { finish_reason: 'stop' }],
  ])('if a choice has %s', (_what, choice, expected) => {
    const value = said({}, choice);
    expect(read(value)).not.toBe(value);
    expect(choiceOf(value)).toMatchObject({ message: { role: 'assistant', content: 'Hi' }, ...expected });
    expect(choiceOf(value)).not.toHaveProperty('error');
    expect(choiceOf(value)).not.toHaveProperty('usage');
  });

  it.each<[string, object, object]>([
    ['a role of the host', { role: 'model' }, { role: 'assistant', content: 'Hi' }],
    ['no content', { content: undefined }, { content: null }],
    ['content that is empty', { role: 'model', content: '' }, { content: '' }],
    ['content that is a number', { content: 7 }, { content: '7' }],
    [
      'a refusal in parts',
      { content: [{ type: 'refusal', refusal: 'No' }] },
      { content: null, refusal: 'No' },
    ],
    ['reasoning in a list', { reasoning: [{ text: 'Hm' }] }, { reasoning_content: 'Hm' }],
    ['half of the older form of a call', { function_call: { name: 'f' } }, { function_call: { name: 'f' } }],
    [
      'an object as its arguments',
      { function_call: { name: 'f', arguments: { a: 1 } } },
      { function_call: { name: 'f', arguments: '{"a":1}' } },
    ],
  ])('if a message has %s', (_what, message, expected) => {
    expect(choiceOf(said(message))?.message).toMatchObject(expected);
  });

  it.each<[string, object]>([
    ['data in our own field', { provider_data: { provider: 'anthropic', blocks: [] } }],
    ['an older call that is a text', { function_call: 'f' }],
  ])('without %s', (_what, message) => {
    expect(choiceOf(said(message))?.message).toEqual({ role: 'assistant', content: 'Hi', refusal: null });
  });

  it.each<[string, unknown[], number[]]>([
    ['repeats an index', [0, 0], [0, 1]],
    ['leaves some out', [undefined, 0], [1, 0]],
    ['leaves the first one out', [undefined, 5, undefined], [0, 5, 2]],
    ['repeats a later one', [1, 1, undefined], [1, 0, 2]],
  ])('and its choices have unique indexes if the host %s', (_what, given, indexes) => {
    const choices = given.map((index) => ({ ...said({}).choices[0], index }));
    expect(read({ ...said({}), choices }).choices.map(({ index }) => index)).toEqual(indexes);
  });

  it('if a complete stream of choices came as a single object', () => {
    const value = said({});
    expect(read({ ...value, choices: value.choices[0] })).toMatchObject({ choices: value.choices });
  });
});

describe('the tool calls of a whole answer', () => {
  const callsOf = (tool_calls: unknown) => choiceOf(said({ tool_calls }))?.message.tool_calls;
  const rewritten = { type: 'function', function: { name: 'f', arguments: '{}' } };

  it.each<[string, unknown, unknown]>([
    ['no arguments', { ...CALL, function: { name: 'f' } }, CALL],
    ['empty arguments', { ...CALL, function: { name: 'f', arguments: '' } }, CALL],
    ['an object as its arguments', { ...CALL, function: { name: 'f', arguments: {} } }, CALL],
    ['no id', rewritten, { ...rewritten, id: expect.stringMatching(/^call_\w{32}$/) }],
    ['name and arguments beside the id', { id: 'a', name: 'f', arguments: '{}' }, CALL],
    ['no type', { id: 'a', function: CALL.function }, CALL],
  ])('are completed if one has %s', (_what, call, expected) => {
    expect(callsOf([call])).toEqual([expected]);
  });

  it('may be a single object instead of a list', () => {
    expect(callsOf(CALL)).toEqual([CALL]);
  });

  it('keep a custom call beside one that has to be rewritten', () => {
    expect(callsOf([{ ...CALL, type: undefined }, CUSTOM])).toEqual([CALL, CUSTOM]);
  });

  it.each<[string, unknown]>([
    ['no name', { id: 'a', type: 'function', function: { arguments: '{}' } }],
    ['an empty name', { id: 'a', type: 'function', function: { name: '', arguments: '{}' } }],
    ['a custom form without its input', { ...CUSTOM, custom: { name: 'g' } }],
    ['a custom form without an id', { ...CUSTOM, id: '' }],
  ])('omit one that has %s', (_what, call) => {
    expect(callsOf([call])).toBeUndefined();
  });

  it('have unique ids, even if the host gives two calls the same one', () => {
    const [first, second, ...others] = callsOf([CALL, CALL]) ?? [];
    expect([first, second, others]).toEqual([
      CALL,
      { ...CALL, id: expect.stringMatching(/^call_\w{32}$/) },
      [],
    ]);
  });

  it.each<[string, object, object, object]>([
    ['the finish reason is null', { finish_reason: null }, {}, {}],
    ['the arguments are empty', {}, {}, { function: { name: 'f', arguments: '' } }],
    ['the arguments are an object', {}, {}, { function: { name: 'f', arguments: {} } }],
    ['there is no id', {}, {}, { id: undefined }],
    ['there is no content', {}, { content: undefined }, {}],
  ])('keep fields beyond the canonical format if %s', (_what, choice, message, call) => {
    const signed = { extra_content: { google: { thought_signature: 'SIG' } } };
    const value = said({ ...message, tool_calls: [{ ...CALL, ...signed, ...call }] }, choice);
    expect(choiceOf(value)?.message.tool_calls).toMatchObject([{ ...signed, function: CALL.function }]);
  });

  it('imply the finish reason if the host sends none', () => {
    expect(choiceOf(said({ tool_calls: [CALL] }, { finish_reason: null }))?.finish_reason).toBe('tool_calls');
  });
});

describe('JSON that is not an answer', () => {
  it.each<[string, unknown]>([
    ['without choices', { id: 'c' }],
    ['with choices that are null', { choices: null }],
    ['with no choice', { choices: [] }],
    ['with a choice that is a text', { choices: ['Hi'] }],
    ['with a choice that has no message', { choices: [{ index: 0 }] }],
  ])('%s is refused as unreadable', (_what, value) => {
    expect(() => read(value)).toThrow(expect.objectContaining({ kind: 'unreadable_answer' }));
  });

  it.each<[string, unknown]>([
    ['as a whole', { error: { message: 'Gone.' } }],
    ['in a choice', said({}, { error: { message: 'Gone.' } })],
  ])('with an error %s is reported as that failure', (_what, value) => {
    expect(() => read(value)).toThrow(expect.objectContaining({ message: 'Gone.' }));
  });
});
