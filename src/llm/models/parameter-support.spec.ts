import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../common/errors.js';
import {
  type AdaptedParameter,
  adaptRequest,
  PARAMETERS,
  unsupportedParameter,
} from './parameter-support.js';
import type { ChatRequest, Protocol } from '../port/index.js';

const MESSAGES: ChatRequest['messages'] = [{ role: 'user', content: 'Hello' }];

/** A non-default value for each parameter. */
const ASKED = {
  temperature: 0.5,
  top_p: 0.5,
  n: 2,
  logprobs: true,
  top_logprobs: 3,
  logit_bias: { '50256': -100 },
  response_format: { type: 'json_schema', json_schema: { name: 'n', schema: {} } },
  tools: [{ type: 'function', function: { name: 'look_up' } }],
  tool_choice: 'required',
  parallel_tool_calls: false,
  stop: ['\n'],
  seed: 7,
  presence_penalty: 0.5,
  frequency_penalty: 0.5,
  user: 'somebody',
  metadata: { a: 'b' },
  store: true,
  service_tier: 'auto',
  reasoning_effort: 'low',
  verbosity: 'low',
  prediction: { type: 'content', content: 'Hi' },
  modalities: ['text', 'audio'],
  audio: { format: 'wav', voice: 'alloy' },
  web_search_options: {},
  prompt_cache_key: 'key',
  safety_identifier: 'hash',
} as const satisfies Record<AdaptedParameter, unknown>;

type Treatment = (typeof PARAMETERS)[Protocol][AdaptedParameter];

function requestWith(parameter: string, value: unknown): ChatRequest {
  const request: ChatRequest = { messages: MESSAGES };
  Reflect.set(request, parameter, value);
  return request;
}

function entriesOf(protocol: Protocol): [string, Treatment][] {
  return Object.entries(PARAMETERS[protocol]);
}

const PROTOCOLS: readonly Protocol[] = ['openai', 'anthropic', 'ollama', 'demo'];
const cases = PROTOCOLS.flatMap((protocol) =>
  entriesOf(protocol).map(([parameter, treatment]): [Protocol, string, Treatment] => [
    protocol,
    parameter,
    treatment,
  ]),
);

describe('adaptRequest', () => {
  it.each(cases)('for %s: the parameter %s is %s', (protocol, parameter, treatment) => {
    const value: unknown = Reflect.get(ASKED, parameter);
    const request = requestWith(parameter, value);
    if (treatment === 'refused') {
      expect(unsupportedParameter(request, protocol)).toBe(parameter);
      expect(() => adaptRequest(request, protocol, 'host/model')).toThrow(
        expect.objectContaining({ code: 'invalid_request', param: parameter }),
      );
      return;
    }
    expect(unsupportedParameter(request, protocol)).toBeUndefined();
    const adapted = adaptRequest(request, protocol, 'host/model');
    expect(adapted.ignored).toEqual(treatment === 'ignored' ? [parameter] : []);
    expect(adapted.request).toEqual(treatment === 'ignored' ? { messages: MESSAGES } : request);
    // The caller's own request stays unchanged: another model may receive more of it.
    expect(Reflect.get(request, parameter)).toBe(value);
  });

  it.each<[string, unknown]>([
    ['n', 1],
    ['n', null],
    ['top_p', 1],
    ['tool_choice', 'auto'],
    ['parallel_tool_calls', true],
    ['functions', []],
    ['function_call', 'auto'],
    ['top_k', null],
    ['tool_choice', 'none'],
    ['logprobs', false],
    ['response_format', { type: 'text' }],
    ['tools', []],
    ['modalities', ['text']],
    ['audio', null],
    ['logit_bias', undefined],
  ])('treats %s = %j as unset: never refused, never reported', (parameter, value) => {
    for (const protocol of PROTOCOLS) {
      expect(adaptRequest(requestWith(parameter, value), protocol, 'host/model').ignored).toEqual([]);
    }
  });

  it('refuses a function that must be called for Ollama, whose protocol cannot express it', () => {
    const choice = { type: 'function', function: { name: 'look_up' } };
    expect(unsupportedParameter(requestWith('tool_choice', choice), 'ollama')).toBe('tool_choice');
    expect(unsupportedParameter(requestWith('tool_choice', choice), 'anthropic')).toBeUndefined();
  });

  it.each<[Protocol, number, number, string[]]>([
    ['anthropic', 1.5, 1, ['temperature']],
    ['anthropic', 1, 1, []],
    ['anthropic', 0, 0, []],
    ['openai', 1.5, 1.5, []],
    ['ollama', 1.5, 1.5, []],
  ])('for %s: changes the temperature %d to %d', (protocol, given, sent, ignored) => {
    const adapted = adaptRequest({ messages: MESSAGES, temperature: given }, protocol, 'host/model');
    expect(adapted.request.temperature).toBe(sent);
    expect(adapted.ignored).toEqual(ignored);
  });

  it.each<[Protocol, number, boolean, boolean]>([
    ['openai', 65, true, true],
    ['openai', 64, true, false],
    // In the host's own format, the value is between the caller and the host.
    ['openai', 65, false, false],
    ['anthropic', 257, false, true],
    ['anthropic', 256, false, false],
  ])(
    'for %s: a user of %d characters, translated: %s, is hashed: %s',
    (protocol, length, translated, hashed) => {
      const user = 'u'.repeat(length);
      const adapted = adaptRequest(requestWith('user', user), protocol, 'host/model', translated);
      expect(adapted.ignored).toEqual(hashed ? ['user'] : []);
      expect(adapted.request).toMatchObject({
        user: hashed ? expect.stringMatching(/^[a-zA-Z0-9]{32}$/) : user,
      });
    },
  );

  it('reports all parameters that were dropped', () => {
    const request = Object.assign(requestWith('seed', 7), { user: 'somebody', store: true });
    expect(adaptRequest(request, 'ollama', 'host/model')).toEqual({
      request: { messages: MESSAGES, seed: 7 },
      ignored: ['user', 'store'],
    });
  });

  it.each<[string, unknown]>([
    ['top_k', 40],
    ['min_p', 0.1],
    ['repetition_penalty', 1.1],
    ['reasoning', { effort: 'high' }],
    ['thinking', { type: 'enabled' }],
    ['include_reasoning', false],
    ['constructor', 1],
  ])('reports the unknown field %s = %j, except for OpenAI’s format', (name, value) => {
    const reported = PROTOCOLS.map(
      (protocol) => adaptRequest(requestWith(name, value), protocol, 'm').ignored,
    );
    expect(reported).toEqual([[], [name], [name], [name]]);
  });

  const hintsIn = (request: ChatRequest): (readonly string[])[] =>
    (['openai', 'anthropic', 'ollama'] as const).map(
      (protocol) => adaptRequest(request, protocol, 'm').ignored,
    );

  it('reports hints inside messages and tools that the format has no field for', () => {
    const url = 'data:image/png;base64,AAAA';
    const image = (detail?: 'auto' | 'high'): ChatRequest => ({
      messages: [
        { role: 'user', content: [{ type: 'image_url', image_url: { url, ...(detail && { detail }) } }] },
      ],
    });
    expect(hintsIn(image())).toEqual([[], [], []]);
    expect(hintsIn(image('auto'))).toEqual([[], [], []]);
    const detail = ['messages.content.image_url.detail'];
    expect(hintsIn(image('high'))).toEqual([[], detail, detail]);
    const named: ChatRequest = { messages: [...MESSAGES, { role: 'user', content: 'Hi', name: 'ann' }] };
    expect(hintsIn(named)).toEqual([[], ['messages.name'], ['messages.name']]);
    const tool = (strict: boolean) => ({ type: 'function' as const, function: { name: 'look_up', strict } });
    expect(hintsIn({ messages: MESSAGES, tools: [tool(false), tool(true)] })).toEqual([
      [],
      [],
      ['tools.function.strict'],
    ]);
    expect(hintsIn({ messages: MESSAGES, tools: [tool(false)] })).toEqual([[], [], []]);
  });

  it('refuses json_object for Anthropic, which can enforce a schema only', () => {
    const request = requestWith('response_format', { type: 'json_object' });
    const refused = PROTOCOLS.map((protocol) => unsupportedParameter(request, protocol));
    expect(refused).toEqual([undefined, 'response_format', undefined, 'response_format']);
    expect(() => adaptRequest(request, 'anthropic', 'a/b')).toThrow(
      "'a/b' does not support a 'response_format' of the type 'json_object'",
    );
  });

  it('names the model in a refusal', () => {
    const ask = (): unknown => adaptRequest({ messages: MESSAGES, n: 2 }, 'anthropic', 'anthropic/claude');
    expect(ask).toThrow(AppError);
    expect(ask).toThrow("'anthropic/claude' does not support 'n'");
  });
});
