import { describe, expect, it } from '@jest/globals';
import type { ChatMessage, ChatRequest } from '../../port/index.js';
import { toOllamaRequest } from './to-ollama-request.js';

const QUESTION: ChatMessage = { role: 'user', content: 'Hi' };

// Separate from the requests, whose type marks it as deprecated.
const OLD_LIMIT = { max_tokens: 5 };
const SEED = { seed: 42 };
const NO_SEED = { seed: null };

/** The request in serialized form: undefined fields are not sent. */
function sent(request: Partial<ChatRequest>): unknown {
  return JSON.parse(JSON.stringify(toOllamaRequest('llama3.2', { messages: [QUESTION], ...request })));
}

/** Returns the fields that a request has in addition to a minimal one. */
function added(request: Partial<ChatRequest>): unknown {
  const { model, messages, stream, truncate, ...rest } = toOllamaRequest('m', {
    messages: [QUESTION],
    ...request,
  });
  expect({ model, stream, truncate, messages: messages.length }).toEqual({
    model: 'm',
    stream: true,
    truncate: false,
    messages: 1,
  });
  return JSON.parse(JSON.stringify(rest));
}

const refusal = (reason: RegExp): unknown =>
  expect.objectContaining({ code: 'invalid_request', message: expect.stringMatching(reason) });

const schema = { type: 'object', properties: { city: { type: 'string' } } };

describe('toOllamaRequest', () => {
  it('streams, and does not let the server truncate the conversation', () => {
    expect(sent({})).toEqual({
      model: 'llama3.2',
      messages: [{ role: 'user', content: 'Hi' }],
      stream: true,
      truncate: false,
      options: {},
    });
  });

  const parameters: [name: string, request: Partial<ChatRequest>, expected: object][] = [
    ['temperature', { temperature: 0 }, { options: { temperature: 0 } }],
    ['top_p', { top_p: 0.9 }, { options: { top_p: 0.9 } }],
    ['max_tokens', OLD_LIMIT, { options: { num_predict: 5 } }],
    ['max_completion_tokens', { max_completion_tokens: 6, ...OLD_LIMIT }, { options: { num_predict: 6 } }],
    ['one stop', { stop: 'END' }, { options: { stop: ['END'] } }],
    ['several stops', { stop: ['a', 'b'] }, { options: { stop: ['a', 'b'] } }],
    ['seed', SEED, { options: { seed: 42 } }],
    [
      'penalties',
      { presence_penalty: 1, frequency_penalty: 0.5 },
      { options: { presence_penalty: 1, frequency_penalty: 0.5 } },
    ],
    [
      'nulls',
      { temperature: null, top_p: null, stop: null, ...NO_SEED, reasoning_effort: null },
      { options: {} },
    ],
    ['a text format', { response_format: { type: 'text' } }, { options: {} }],
    ['JSON', { response_format: { type: 'json_object' } }, { options: {}, format: 'json' }],
    [
      'a schema',
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } },
      { options: {}, format: schema },
    ],
    [
      'a schema without one',
      { response_format: { type: 'json_schema', json_schema: { name: 'x' } } },
      { options: {}, format: 'json' },
    ],
    ['no thinking', { reasoning_effort: 'none' }, { options: {}, think: false }],
    ['the least thinking', { reasoning_effort: 'minimal' }, { options: {}, think: 'low' }],
    ['some thinking', { reasoning_effort: 'medium' }, { options: {}, think: 'medium' }],
    ['the most thinking', { reasoning_effort: 'xhigh' }, { options: {}, think: 'high' }],
    ['no tools', { tools: [] }, { options: {} }],
    [
      'tools that must not be called',
      { tools: [{ type: 'function', function: { name: 'a' } }], tool_choice: 'none' },
      { options: {} },
    ],
    [
      'tools',
      {
        tools: [
          {
            type: 'function',
            function: { name: 'weather', description: 'Tells it.', parameters: schema, strict: true },
          },
          { type: 'function', function: { name: 'now' } },
        ],
      },
      {
        options: {},
        tools: [
          { type: 'function', function: { name: 'weather', description: 'Tells it.', parameters: schema } },
          { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } },
        ],
      },
    ],
  ];
  it.each(parameters)('converts %s', (_name, request, expected) => {
    expect(added(request)).toEqual(expected);
  });

  it('refuses tools that are not functions', () => {
    expect(() => sent({ tools: [{ type: 'custom', custom: { name: 'x' } }] })).toThrow(
      refusal(/type 'custom'/),
    );
  });
});
