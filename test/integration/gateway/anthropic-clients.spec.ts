// Real components: the API on a socket, PostgreSQL, the official clients as their users have them, and the
// protocols of three kinds of providers. A table locates the tested values in each provider's request format;
// two clients use it over one server.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createAnthropic } from '@ai-sdk/anthropic';
import Anthropic from '@anthropic-ai/sdk';
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { at } from '../../support/client.js';
import { FAKE_SIGNATURE } from '../../support/fake-provider/anthropic-blocks.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import type { ErrorBehavior } from '../../support/fake-provider/script.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';

type Ask = Anthropic.MessageCreateParamsNonStreaming;

/** Usage reported by a provider, with values that counting would not yield. */
const USAGE = { prompt_tokens: 41, completion_tokens: 17 };

const WEATHER: Anthropic.Tool = {
  name: 'weather',
  description: 'The weather of a city.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** The same model over three protocols, with the paths of the tested values in each API format. */
const PROVIDERS = [
  {
    id: 'openai',
    signature: expect.stringMatching(/^parley\./),
    system: { messages: [{ role: 'system', content: 'Be brief.' }, {}] },
    tool: ['tools', 0, 'function', 'parameters'],
    choice: { tool_choice: 'required', parallel_tool_calls: false },
    result: ['messages', 2, 'content'],
    image: ['messages', 0, 'content', 1, 'image_url', 'url'],
    sentImage: `data:image/png;base64,${PIXEL}`,
    schema: ['response_format', 'json_schema', 'schema'],
  },
  {
    id: 'anthropic',
    signature: FAKE_SIGNATURE,
    system: { system: 'Be brief.' },
    tool: ['tools', 0, 'input_schema'],
    choice: { tool_choice: { type: 'any', disable_parallel_tool_use: true } },
    result: ['messages', 2, 'content', 0, 'content'],
    image: ['messages', 0, 'content', 1, 'source', 'data'],
    sentImage: PIXEL,
    schema: ['output_config', 'format', 'schema'],
  },
  {
    id: 'ollama',
    signature: expect.stringMatching(/^parley\./),
    system: { messages: [{ role: 'system', content: 'Be brief.' }, {}] },
    tool: ['tools', 0, 'function', 'parameters'],
    choice: {},
    result: ['messages', 2, 'content'],
    image: ['messages', 0, 'images', 0],
    sentImage: PIXEL,
    schema: ['format'],
  },
] as const;

let client: Anthropic;

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
  OLLAMA_BASE_URL: provider.origin,
  LLM_MAX_RETRIES: '0',
}));
const user = setUpUser(api);

beforeAll(async () => {
  client = clientOf(user.token);
});

/** Creates an official client in which only the base URL and the API key are set. */
function clientOf(apiKey: string): Anthropic {
  return new Anthropic({ baseURL: api.url, apiKey, logLevel: 'off' });
}

function ask(model: string, more: Partial<Ask> = {}): Ask {
  return { model, max_tokens: 100, messages: [{ role: 'user', content: 'one two three' }], ...more };
}

/** Returns the body most recently sent to the provider. */
function sentBody(): unknown {
  return provider.requests.at(-1)?.body;
}

/** Returns the error that a promise is rejected with. */
async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Disconnects and waits until the provider has noticed. */
async function expectLeft(closed: Promise<{ by: string }>, leave: () => void): Promise<void> {
  leave();
  expect(await closed).toMatchObject({ by: 'client' });
}

/** Returns the whole message, streamed or not. */
async function messageOf(body: Ask, streaming: boolean): Promise<Anthropic.Message> {
  return streaming ? client.messages.stream(body).finalMessage() : client.messages.create(body);
}

describe.each(PROVIDERS)('the Anthropic client over $id', (upstream) => {
  const model = `${upstream.id}/test-model`;

  it.each([true, false])('receives an answer (streaming: %s)', async (streaming) => {
    provider.script({ kind: 'answer', text: ['four', ' five'], usage: USAGE });
    const message = await messageOf(ask(model, { system: 'Be brief.', stop_sequences: ['END'] }), streaming);
    expect(message).toMatchObject({
      id: expect.stringMatching(/^msg_\S+$/),
      type: 'message',
      role: 'assistant',
      model,
      content: [{ type: 'text', text: 'four five' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: 41, output_tokens: 17, cache_read_input_tokens: 0 },
    });
    expect(sentBody()).toMatchObject(upstream.system);
  });

  it('receives the id of its request', async () => {
    const { request_id } = await client.messages.create(ask(model)).withResponse();
    expect(request_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('receives every word as it is generated', async () => {
    provider.script({ kind: 'answer', text: ['four', ' five'] });
    const stream = client.messages.stream(ask(model));
    const words: string[] = [];
    stream.on('text', (word) => words.push(word));
    await stream.done();
    expect(words).toEqual(['four', ' five']);
    expect(stream.request_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([true, false])('receives tool calls (streaming: %s)', async (streaming) => {
    provider.script({
      kind: 'answer',
      text: 'Let me see.',
      finishReason: 'tool_calls',
      toolCalls: [
        { id: 'call_7', name: 'weather', arguments: ['{"city":', '"Rome"}'] },
        { id: 'call_8', name: 'weather', arguments: '{"city":"Oslo"}' },
      ],
    });
    // Ollama's API has no setting that forces a tool call.
    const type = upstream.id === 'ollama' ? 'auto' : 'any';
    const tool_choice = { type, disable_parallel_tool_use: true } as const;
    const message = await messageOf(ask(model, { tools: [WEATHER], tool_choice }), streaming);
    expect(message.stop_reason).toBe('tool_use');
    expect(message.content).toMatchObject([
      { type: 'text', text: 'Let me see.' },
      { type: 'tool_use', name: 'weather', input: { city: 'Rome' } },
      { type: 'tool_use', name: 'weather', input: { city: 'Oslo' } },
    ]);
    const ids = message.content.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
    expect(new Set(ids).size).toBe(2);
    expect(ids).not.toContain('');
    expect(at(sentBody(), ...upstream.tool)).toMatchObject(WEATHER.input_schema);
    expect(sentBody()).toMatchObject(upstream.choice);
  });

  it('sends tool results', async () => {
    const message = await client.messages.create(
      ask(model, {
        tools: [WEATHER],
        messages: [
          { role: 'user', content: 'Rome?' },
          {
            role: 'assistant',
            content: [{ type: 'tool_use', id: 'call_7', name: 'weather', input: { city: 'Rome' } }],
          },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_7', content: 'rain' }] },
        ],
      }),
    );
    expect(message.content).toMatchObject([{ type: 'text', text: 'Rome?' }]);
    expect(at(sentBody(), ...upstream.result)).toBe('rain');
    expect(JSON.stringify(at(sentBody(), 'messages', 1))).toContain('Rome');
  });

  it.each([true, false])(
    'receives thinking blocks, and may send them back (streaming: %s)',
    async (streaming) => {
      provider.script({ kind: 'answer', reasoning: ['Hm', ' hm'], text: 'four' });
      const message = await messageOf(ask(model), streaming);
      expect(message.content).toMatchObject([
        { type: 'thinking', thinking: 'Hm hm', signature: upstream.signature },
        { type: 'text', text: 'four' },
      ]);
      const again = await client.messages.create(
        ask(model, {
          messages: [
            { role: 'user', content: 'one' },
            { role: 'assistant', content: message.content },
            { role: 'user', content: 'two' },
          ],
        }),
      );
      expect(again.content).toMatchObject([{ type: 'text', text: 'two' }]);
      // Anthropic gets the blocks back that it signed; the other providers get theirs back only with tool
      // calls.
      expect(JSON.stringify(sentBody()).includes('Hm hm')).toBe(upstream.signature === FAKE_SIGNATURE);
      expect(JSON.stringify(sentBody())).not.toContain('provider_data');
    },
  );

  it('sends an image', async () => {
    const message = await client.messages.create(
      ask(model, {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What is this?' },
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
            ],
          },
        ],
      }),
    );
    expect(message.content).toMatchObject([{ text: 'What is this?' }]);
    expect(at(sentBody(), ...upstream.image)).toBe(upstream.sentImage);
  });

  it('receives an answer that matches a JSON schema', async () => {
    provider.script({ kind: 'answer', text: '{"city":"Rome"}' });
    const schema = { ...WEATHER.input_schema, additionalProperties: false };
    const message = await client.messages.parse(
      ask(model, { output_config: { format: { type: 'json_schema', schema } } }),
    );
    expect(message.content).toMatchObject([{ text: '{"city":"Rome"}' }]);
    expect(at(sentBody(), ...upstream.schema)).toEqual(schema);
  });

  it('receives the stop reason of an answer', async () => {
    for (const streaming of [true, false]) {
      provider.script({ kind: 'answer', text: 'four', finishReason: 'length' });
      expect((await messageOf(ask(model), streaming)).stop_reason).toBe('max_tokens');
    }
  });

  it('lists and retrieves the model by its name with a slash', async () => {
    const ids: string[] = [];
    for await (const one of client.models.list({ limit: 2 })) ids.push(one.id);
    expect(ids).toContain(model);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await client.models.retrieve(model)).toMatchObject({ type: 'model', id: model });
  });

  it('counts tokens', async () => {
    const { input_tokens } = await client.messages.countTokens({
      model,
      messages: [{ role: 'user', content: 'one two three' }],
      tools: [WEATHER],
    });
    // The fake provider counts words; the estimate includes tools and message overhead.
    if (upstream.id === 'anthropic') expect(input_tokens).toBe(3);
    else expect(input_tokens).toBeGreaterThan(20);
    expect(provider.requests.filter(({ route }) => route === 'chat')).toEqual([]);
  });

  const failures: readonly (readonly [number, Partial<ErrorBehavior>, unknown, object])[] = [
    [
      400,
      { message: 'That is wrong.' },
      Anthropic.BadRequestError,
      { type: 'invalid_request_error', apiMessage: 'That is wrong.' },
    ],
    [401, {}, Anthropic.InternalServerError, { status: 502, type: 'api_error' }],
    [404, { message: 'No such model.' }, Anthropic.NotFoundError, { type: 'not_found_error' }],
    [429, { retryAfter: 7 }, Anthropic.RateLimitError, { type: 'rate_limit_error' }],
    [500, {}, Anthropic.InternalServerError, { status: 502, type: 'api_error' }],
    [503, {}, Anthropic.APIError, { status: 503, type: 'overloaded_error' }],
  ];
  it.each(failures)(
    'throws its own error class if the provider responds with %i',
    async (status, more, expected, fields) => {
      const impatient = client.withOptions({ maxRetries: 0 });
      for (const stream of [false, true]) {
        provider.script({ kind: 'error', status, ...more });
        const error = await failureOf(impatient.messages.create({ ...ask(model), stream }));
        expect(error).toBeInstanceOf(expected);
        expect(error).toMatchObject({ ...fields, requestID: expect.stringMatching(/^[0-9a-f-]{36}$/) });
      }
    },
  );

  it('throws if the stream breaks off, after delivering the text so far', async () => {
    provider.script({ kind: 'cut', text: ['four', ' five'], afterChunks: 1 });
    const stream = client.messages.stream(ask(model));
    const words: string[] = [];
    stream.on('text', (word) => words.push(word));
    const error = await failureOf(stream.done());
    expect(error).toBeInstanceOf(Anthropic.APIError);
    expect(error).toMatchObject({ type: 'api_error' });
    expect(words).toEqual(['four']);
  });

  it('causes the provider’s socket to be closed when it disconnects from a stream', async () => {
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const arriving = provider.nextRequest('chat');
    gate.release();
    const stream = await client.messages.create({ ...ask(model), stream: true });
    const { closed } = await arriving;
    await stream[Symbol.asyncIterator]().next();
    await expectLeft(closed, () => stream.controller.abort());
  });

  it('causes the provider’s socket to be closed when it disconnects before there is an answer', async () => {
    provider.script(gatedAnswer(['four'], { holdHeaders: true }));
    const leaving = new AbortController();
    const arriving = provider.nextRequest('chat');
    const answering = failureOf(client.messages.create(ask(model), { signal: leaving.signal }));
    const { closed } = await arriving;
    await expectLeft(closed, () => leaving.abort());
    expect(await answering).toBeInstanceOf(Anthropic.APIUserAbortError);
  });
});

describe('the Anthropic client', () => {
  it('throws an AuthenticationError without a valid key', async () => {
    for (const asked of [
      () => clientOf('wrong').messages.create(ask('openai/test-model')),
      () => clientOf('wrong').models.list(),
    ]) {
      const error = await failureOf(asked());
      expect(error).toBeInstanceOf(Anthropic.AuthenticationError);
      expect(error).toMatchObject({ type: 'authentication_error', requestID: expect.any(String) });
    }
    expect(provider.requests).toEqual([]);
  });

  it('can send its key as a bearer token', async () => {
    const other = new Anthropic({ baseURL: api.url, apiKey: null, authToken: user.token });
    expect((await other.messages.create(ask('openai/test-model'))).content).toMatchObject([
      { text: 'one two three' },
    ]);
  });

  it('can use beta features', async () => {
    const beta = { ...ask('anthropic/test-model'), betas: ['novelty-2026-01-01'] };
    expect((await client.beta.messages.create(beta)).content).toMatchObject([{ text: 'one two three' }]);
    expect(provider.requests[0]?.headers).toMatchObject({ 'anthropic-beta': 'novelty-2026-01-01' });
  });

  it('throws a NotFoundError for an unknown model', async () => {
    for (const asked of [
      () => client.messages.create(ask('unheard-of')),
      () => client.messages.countTokens({ model: 'unheard-of', messages: ask('').messages }),
      () => client.models.retrieve('unheard-of'),
      () => client.models.retrieve('openai/unheard-of'),
    ]) {
      const error = await failureOf(asked());
      expect(error).toBeInstanceOf(Anthropic.NotFoundError);
      expect(error).toMatchObject({ type: 'not_found_error' });
    }
  });

  it('does not retry a request if the server advises against it', async () => {
    provider.setDefault({ kind: 'error', status: 429, retryAfter: 7 });
    const error = await failureOf(client.messages.create(ask('openai/test-model')));
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    expect(provider.requests).toHaveLength(1);
  });
});

describe.each(PROVIDERS)('the Vercel AI SDK over $id', (upstream) => {
  const name = `${upstream.id}/test-model`;
  const model = () => createAnthropic({ baseURL: `${api.url}/v1`, apiKey: user.token })(name);

  it('generates text', async () => {
    provider.script({ kind: 'answer', text: 'four five', usage: USAGE });
    const { text, usage, finishReason } = await generateText({
      model: model(),
      prompt: 'one',
      maxOutputTokens: 100,
    });
    expect([text, finishReason]).toEqual(['four five', 'stop']);
    expect(usage).toMatchObject({ inputTokens: 41, outputTokens: 17 });
  });

  it('streams text and reasoning', async () => {
    provider.script({ kind: 'answer', reasoning: ['Hm'], text: ['four', ' five'], usage: USAGE });
    const result = streamText({ model: model(), prompt: 'one', maxOutputTokens: 100 });
    expect(await Array.fromAsync(result.textStream)).toEqual(['four', ' five']);
    expect(await result.reasoningText).toBe('Hm');
    expect(await result.finishReason).toBe('stop');
    expect(await result.usage).toMatchObject({ inputTokens: 41, outputTokens: 17 });
  });

  it.each([true, false])(
    'runs a tool and continues to the final answer (streaming: %s)',
    async (streaming) => {
      provider.script(
        {
          kind: 'answer',
          toolCalls: [{ id: 'call_7', name: 'weather', arguments: ['{"city":', '"Rome"}'] }],
        },
        { kind: 'answer', text: 'It rains.' },
      );
      const cities: string[] = [];
      const weather = tool({
        description: 'The weather of a city.',
        inputSchema: jsonSchema<{ city: string }>({
          type: 'object',
          properties: { city: { type: 'string' } },
          required: ['city'],
        }),
        execute: ({ city }) => {
          cities.push(city);
          return 'rain';
        },
      });
      const options = {
        model: model(),
        prompt: 'Rome?',
        maxOutputTokens: 100,
        tools: { weather },
        stopWhen: stepCountIs(3),
      };
      const text = streaming ? await streamText(options).text : (await generateText(options)).text;
      expect([text, cities]).toEqual(['It rains.', ['Rome']]);
      expect(at(sentBody(), ...upstream.result)).toBe('rain');
    },
  );

  it('throws an APICallError with the provider’s message', async () => {
    provider.script({ kind: 'error', status: 400, message: 'That is wrong.' });
    const error = await failureOf(
      generateText({ model: model(), prompt: 'one', maxOutputTokens: 100, maxRetries: 0 }),
    );
    expect(error).toBeInstanceOf(APICallError);
    expect(error).toMatchObject({ statusCode: 400, message: 'That is wrong.' });
  });
});
