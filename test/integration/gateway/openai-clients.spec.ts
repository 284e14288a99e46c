// Real components: the API on a socket, PostgreSQL, the official clients as their users have them, and the
// protocols of three kinds of providers. Three clients (OpenAI, LangChain and the Vercel AI SDK) run against
// one server and one table of providers.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { at, listAt } from '../../support/client.js';
import { unitVector } from '../../support/fake-provider/embedding-vectors.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import type { ErrorBehavior } from '../../support/fake-provider/script.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';

type Chat = Omit<OpenAI.Chat.ChatCompletionCreateParamsNonStreaming, 'stream'>;
type Chunk = OpenAI.Chat.ChatCompletionChunk;

/** Usage reported by a provider, with values that counting would not yield. */
const USAGE = { prompt_tokens: 41, completion_tokens: 17 };

const SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const WEATHER: OpenAI.Chat.ChatCompletionFunctionTool = {
  type: 'function',
  function: { name: 'weather', description: 'The weather of a city.', parameters: SCHEMA },
};
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** The same model over three protocols, with the paths of the tested values in each API format. */
const PROVIDERS = [
  {
    id: 'openai',
    schema: ['response_format', 'json_schema', 'schema'],
    tool: ['tools', 0, 'function', 'parameters'],
    image: ['messages', 0, 'content', 1, 'image_url', 'url'],
    sentImage: `data:image/png;base64,${PIXEL}`,
    result: ['messages', 2, 'content'],
    sentResult: 'rain',
  },
  {
    id: 'anthropic',
    schema: ['output_config', 'format', 'schema'],
    tool: ['tools', 0, 'input_schema'],
    image: ['messages', 0, 'content', 1, 'source', 'data'],
    sentImage: PIXEL,
    result: ['messages', 2, 'content', 0],
    sentResult: expect.objectContaining({ type: 'tool_result', tool_use_id: 'call_7' }),
  },
  {
    id: 'ollama',
    schema: ['format'],
    tool: ['tools', 0, 'function', 'parameters'],
    image: ['messages', 0, 'images', 0],
    sentImage: PIXEL,
    result: ['messages', 2],
    sentResult: expect.objectContaining({ role: 'tool', content: 'rain' }),
  },
] as const;

let client: OpenAI;

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
  OLLAMA_BASE_URL: provider.origin,
  LLM_MAX_RETRIES: '0',
}));
const user = setUpUser(api);

beforeAll(async () => {
  client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: user.token, logLevel: 'off' });
});

function ask(model: string, more: Partial<Chat> = {}): Chat {
  return { model, messages: [{ role: 'user', content: 'one two three' }], ...more };
}

/** Returns the body most recently sent to the provider. */
function sentBody(): unknown {
  return provider.requests.at(-1)?.body;
}

async function chunksOf(body: Chat, includeUsage?: boolean): Promise<Chunk[]> {
  const stream = await client.chat.completions.create({
    ...body,
    stream: true,
    ...(includeUsage !== undefined && { stream_options: { include_usage: includeUsage } }),
  });
  return Array.fromAsync(stream);
}

function contentOf(chunks: readonly Chunk[]): string {
  return chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
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

describe.each(PROVIDERS)('the OpenAI client over $id', (upstream) => {
  const model = `${upstream.id}/test-model`;

  it('completes a chat', async () => {
    provider.script({ kind: 'answer', text: 'four five', usage: USAGE });
    const completion = await client.chat.completions.create(ask(model));
    expect(completion).toMatchObject({
      object: 'chat.completion',
      model,
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'four five' } }],
      usage: { ...USAGE, total_tokens: 58 },
    });
    expect(completion.id).toMatch(/^\S+$/);
    expect(completion._request_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([undefined, false, true])('streams a chat (include_usage: %s)', async (includeUsage) => {
    provider.script({ kind: 'answer', text: ['four', ' five'], usage: USAGE });
    const chunks = await chunksOf(ask(model), includeUsage);
    expect(contentOf(chunks)).toBe('four five');
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(new Set(chunks.map((chunk) => `${chunk.model} ${chunk.id}`)).size).toBe(1);
    expect(chunks[0]?.model).toBe(model);
    expect(chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])).toEqual(['stop']);
    const usages = chunks.map(({ usage }) => usage).filter((usage) => usage !== undefined && usage !== null);
    expect(usages).toMatchObject(includeUsage === true ? [{ ...USAGE, total_tokens: 58 }] : []);
    if (includeUsage === true) expect(chunks.at(-1)?.choices).toEqual([]);
  });

  it.each([true, false])('receives tool calls (streaming: %s)', async (stream) => {
    provider.script({
      kind: 'answer',
      toolCalls: [
        { name: 'weather', arguments: ['{"city":', '"Rome"}'] },
        { name: 'weather', arguments: '{"city":"Oslo"}' },
      ],
    });
    const body = ask(model, { tools: [WEATHER], tool_choice: 'auto' });
    const completion = stream
      ? await client.chat.completions.stream(body).finalChatCompletion()
      : await client.chat.completions.create(body);
    const [choice] = completion.choices;
    expect(choice?.finish_reason).toBe('tool_calls');
    expect(choice?.message.tool_calls).toMatchObject([
      { type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
      { type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
    ]);
    const ids = choice?.message.tool_calls?.map(({ id }) => id) ?? [];
    expect(new Set(ids).size).toBe(2);
    expect(ids).not.toContain('');
    expect(at(sentBody(), ...upstream.tool)).toMatchObject({ properties: { city: { type: 'string' } } });
  });

  it('sends tool results', async () => {
    const calls = [
      {
        id: 'call_7',
        type: 'function' as const,
        function: { name: 'weather', arguments: '{"city":"Rome"}' },
      },
    ];
    const completion = await client.chat.completions.create({
      model,
      tools: [WEATHER],
      messages: [
        { role: 'user', content: 'Rome?' },
        { role: 'assistant', content: null, tool_calls: calls },
        { role: 'tool', tool_call_id: 'call_7', content: 'rain' },
      ],
    });
    expect(completion.choices[0]?.message.content).toBe('Rome?');
    expect(at(sentBody(), ...upstream.result)).toEqual(upstream.sentResult);
    expect(JSON.stringify(at(sentBody(), ...upstream.result))).toContain('rain');
  });

  it('receives an answer that matches a JSON schema', async () => {
    provider.script({ kind: 'answer', text: '{"city":"Rome"}' });
    const completion = await client.chat.completions.parse(
      ask(model, {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'place', strict: true, schema: SCHEMA },
        },
      }),
    );
    expect(JSON.parse(completion.choices[0]?.message.content ?? '')).toEqual({ city: 'Rome' });
    expect(at(sentBody(), ...upstream.schema)).toEqual(SCHEMA);
  });

  it('sends an image', async () => {
    const completion = await client.chat.completions.create({
      model,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } },
          ],
        },
      ],
    });
    expect(completion.choices[0]?.message.content).toBe('What is this?');
    expect(at(sentBody(), ...upstream.image)).toBe(upstream.sentImage);
  });

  it('lists the model and retrieves it by its name with a slash', async () => {
    const { data } = await client.models.list();
    const listed = data.find(({ id }) => id === model);
    expect(listed).toEqual({
      id: model,
      object: 'model',
      created: expect.any(Number),
      owned_by: upstream.id,
    });
    expect(await client.models.retrieve(model)).toEqual(listed);
  });

  const failures: readonly (readonly [status: number, behavior: Partial<ErrorBehavior>, expected: object])[] =
    [
      [
        400,
        { message: 'That is wrong.' },
        {
          status: 400,
          code: 'provider_rejected',
          type: 'invalid_request_error',
          error: { message: 'That is wrong.' },
        },
      ],
      [
        401,
        {},
        {
          status: 502,
          code: 'provider_error',
          type: 'api_error',
          error: {
            message:
              "The model provider rejected the server's credentials. The operator of this server must check the API key.",
          },
        },
      ],
      [
        404,
        { message: 'No such model.' },
        { status: 404, code: 'model_not_found', param: 'model', error: { message: 'No such model.' } },
      ],
      [
        429,
        { retryAfter: 7 },
        {
          status: 429,
          code: 'provider_rate_limited',
          type: 'rate_limit_error',
          error: { message: 'The model provider is rate limiting requests. Try again later.' },
        },
      ],
      [500, {}, { status: 502, code: 'provider_error', type: 'api_error', param: null }],
      [503, {}, { status: 503, code: 'provider_unavailable', type: 'api_error', param: null }],
    ];

  it.each(failures)(
    'throws its own error class if the provider responds with %i',
    async (status, more, expected) => {
      const impatient = client.withOptions({ maxRetries: 0 });
      for (const stream of [false, true]) {
        provider.script({ kind: 'error', status, ...more });
        const error = await failureOf(impatient.chat.completions.create({ ...ask(model), stream }));
        expect(error).toBeInstanceOf(classOf(Number(at(expected, 'status'))));
        expect(error).toMatchObject(expected);
      }
    },
  );

  it('does not retry a request if the server advises against it', async () => {
    provider.setDefault({ kind: 'error', status: 429, retryAfter: 7 });
    const error = await failureOf(client.chat.completions.create(ask(model)));
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(provider.requests).toHaveLength(1);
  });

  it('throws if the stream breaks off, after delivering the text so far', async () => {
    provider.script({ kind: 'cut', text: ['four', ' five'], afterChunks: 1 });
    const stream = await client.chat.completions.create({ ...ask(model), stream: true });
    const seen: Chunk[] = [];
    const reading = (async () => {
      for await (const chunk of stream) seen.push(chunk);
    })();
    expect(await failureOf(reading)).toMatchObject({
      error: { code: 'provider_error', message: expect.stringContaining('broke off or could not be parsed') },
    });
    expect(contentOf(seen)).toBe('four');
  });

  it('causes the provider’s socket to be closed when it disconnects from a stream', async () => {
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const arriving = provider.nextRequest('chat');
    gate.release();
    const stream = await client.chat.completions.create({ ...ask(model), stream: true });
    const { closed } = await arriving;
    await stream[Symbol.asyncIterator]().next();
    await expectLeft(closed, () => stream.controller.abort());
  });

  it('causes the provider’s socket to be closed when it disconnects before there is an answer', async () => {
    provider.script(gatedAnswer(['four'], { holdHeaders: true }));
    const leaving = new AbortController();
    const arriving = provider.nextRequest('chat');
    const answering = failureOf(client.chat.completions.create(ask(model), { signal: leaving.signal }));
    const { closed } = await arriving;
    await expectLeft(closed, () => leaving.abort());
    expect(await answering).toBeInstanceOf(OpenAI.APIUserAbortError);
  });
});

describe('the OpenAI client', () => {
  it('throws an AuthenticationError without a valid key', async () => {
    const stranger = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: 'sk-wrong', logLevel: 'off' });
    const error = await failureOf(stranger.models.list());
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: 'unauthorized', type: 'authentication_error' });
    expect(provider.requests).toEqual([]);
  });

  it('can send its key as X-API-Key', async () => {
    const other = new OpenAI({
      baseURL: `${api.url}/v1`,
      apiKey: 'none',
      defaultHeaders: { authorization: null, 'x-api-key': user.token },
    });
    const completion = await other.chat.completions.create(ask('openai/test-model'));
    expect(completion.choices[0]?.message.content).toBe('one two three');
  });

  it('throws a BadRequestError that names the parameter', async () => {
    const error = await failureOf(
      client.chat.completions.create(ask('openai/test-model', { temperature: 2.1 })),
    );
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ code: 'invalid_request', param: 'temperature' });
    expect(error).toHaveProperty('message', '400 temperature must be <= 2.');
  });

  it('throws a NotFoundError for an unknown model', async () => {
    for (const asked of [
      client.chat.completions.create(ask('unheard-of')),
      client.models.retrieve('unheard-of'),
      client.models.retrieve('openai/unheard-of'),
    ]) {
      const error = await failureOf(asked);
      expect(error).toBeInstanceOf(OpenAI.NotFoundError);
      expect(error).toMatchObject({ code: 'model_not_found', param: 'model' });
    }
  });
});

describe.each(['openai', 'ollama'])('embeddings over %s', (id) => {
  const model = `${id}/test-model`;

  it('arrive in base64, which the client requests and decodes', async () => {
    const { data, usage, model: named } = await client.embeddings.create({ model, input: 'red house' });
    expect(data).toEqual([{ object: 'embedding', index: 0, embedding: unitVector('red house', 8) }]);
    expect([named, usage]).toEqual([model, { prompt_tokens: 2, total_tokens: 2 }]);
  });

  it('arrive as numbers if float is requested', async () => {
    const { data } = await client.embeddings.create({ model, input: 'red house', encoding_format: 'float' });
    expect(data[0]?.embedding).toEqual(unitVector('red house', 8));
  });

  it.each(['float', 'base64'] as const)('preserve the order of a batch, in %s', async (encoding_format) => {
    const input = Array.from({ length: 100 }, (_value, index) => `text number ${index}`);
    const { data } = await client.embeddings.create({ model, input, encoding_format, dimensions: 4 });
    expect(data.map(({ index }) => index)).toEqual(input.keys().toArray());
    expect(data.map(({ embedding }) => decoded(embedding))).toEqual(input.map((text) => unitVector(text, 4)));
  });

  it('are refused with the provider’s message', async () => {
    provider.scriptFor('embeddings', { kind: 'error', status: 400, message: 'Too long.' });
    const error = await failureOf(client.embeddings.create({ model, input: 'x' }));
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ code: 'provider_rejected', error: { message: 'Too long.' } });
  });
});

describe('embeddings', () => {
  it('accept token arrays as input', async () => {
    for (const input of [
      [1, 2],
      [[1, 2], [3]],
    ]) {
      await client.embeddings.create({ model: 'openai/test-model', input });
    }
    expect(provider.requests.map(({ body }) => at(body, 'input'))).toEqual([[[1, 2]], [[1, 2], [3]]]);
  });

  it('are refused for a provider without embeddings', async () => {
    const error = await failureOf(client.embeddings.create({ model: 'anthropic/test-model', input: 'x' }));
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
  });
});

describe.each(PROVIDERS)('LangChain over $id', ({ id, tool: sentTool }) => {
  const chat = (streaming: boolean): ChatOpenAI =>
    new ChatOpenAI({
      model: `${id}/test-model`,
      apiKey: user.token,
      streaming,
      maxRetries: 0,
      configuration: { baseURL: `${api.url}/v1` },
    });

  it('invokes a model', async () => {
    provider.script({ kind: 'answer', text: 'four five', usage: USAGE });
    const answer = await chat(false).invoke('one two three');
    expect(answer.text).toBe('four five');
    expect(answer.usage_metadata).toMatchObject({ input_tokens: 41, output_tokens: 17, total_tokens: 58 });
  });

  it('streams an answer', async () => {
    provider.script({ kind: 'answer', text: ['four', ' five'], usage: USAGE });
    const chunks = await Array.fromAsync(await chat(true).stream('one two three'));
    expect(chunks.map(({ text }) => text).join('')).toBe('four five');
    expect(chunks.flatMap((chunk) => at(chunk, 'usage_metadata') ?? [])).toMatchObject([
      { input_tokens: 41, output_tokens: 17 },
    ]);
  });

  it.each([true, false])('calls a tool and sends its result (streaming: %s)', async (streaming) => {
    provider.script({ kind: 'answer', toolCalls: [{ name: 'weather', arguments: ['{"city":', '"Rome"}'] }] });
    const model = chat(streaming).bindTools([WEATHER]);
    const question = new HumanMessage('Rome?');
    // With a streaming model, its `invoke` counts tokens with tables that it fetches from the internet.
    const chunks = streaming ? await Array.fromAsync(await model.stream([question])) : [];
    const [first, ...rest] = chunks;
    const answer = first
      ? rest.reduce((sum, chunk) => sum.concat(chunk), first)
      : await model.invoke([question]);
    expect(answer.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Rome' } }]);
    expect(at(sentBody(), ...sentTool)).toMatchObject({ required: ['city'] });
    const [call] = answer.tool_calls ?? [];
    const result = new ToolMessage({ content: 'rain', tool_call_id: call?.id ?? '' });
    const last = await chat(false).bindTools([WEATHER]).invoke([question, answer, result]);
    expect(last.text).toBe('Rome?');
    expect(JSON.stringify(sentBody())).toContain('rain');
  });
});

describe.each(PROVIDERS)('the Vercel AI SDK over $id', ({ id }) => {
  const model = () =>
    createOpenAICompatible({
      name: 'parley',
      baseURL: `${api.url}/v1`,
      apiKey: user.token,
      includeUsage: true,
    })(`${id}/test-model`);
  const tools = {
    weather: tool({
      description: 'The weather of a city.',
      inputSchema: jsonSchema<{ city: string }>({
        ...SCHEMA,
        type: 'object',
        properties: { city: { type: 'string' } },
      }),
      execute: ({ city }) => Promise.resolve(`rain in ${city}`),
    }),
  };

  it('generates text', async () => {
    provider.script({ kind: 'answer', text: 'four five', usage: USAGE });
    const result = await generateText({ model: model(), prompt: 'one two three' });
    expect([result.text, result.finishReason]).toEqual(['four five', 'stop']);
    expect(result.usage).toMatchObject({ inputTokens: 41, outputTokens: 17 });
    expect(result.response.modelId).toBe(`${id}/test-model`);
  });

  it('streams text', async () => {
    provider.script({ kind: 'answer', text: ['four', ' five'], usage: USAGE });
    const result = streamText({ model: model(), prompt: 'one two three' });
    expect(await Array.fromAsync(result.textStream)).toEqual(['four', ' five']);
    expect(await result.finishReason).toBe('stop');
    expect(await result.usage).toMatchObject({ inputTokens: 41, outputTokens: 17 });
  });

  it.each([true, false])('runs a tool and continues to the final answer (streaming: %s)', async (stream) => {
    provider.script(
      { kind: 'answer', toolCalls: [{ name: 'weather', arguments: ['{"city":', '"Rome"}'] }] },
      { kind: 'answer', text: 'Take an umbrella.' },
    );
    const options = { model: model(), prompt: 'Rome?', tools, stopWhen: stepCountIs(3) };
    const text = stream ? await streamText(options).text : (await generateText(options)).text;
    expect(text).toBe('Take an umbrella.');
    expect(provider.requests).toHaveLength(2);
    expect(JSON.stringify(sentBody())).toContain('rain in Rome');
  });

  it('throws an APICallError with the provider’s message', async () => {
    provider.script({ kind: 'error', status: 400, message: 'That is wrong.' });
    const error = await failureOf(generateText({ model: model(), prompt: 'x', maxRetries: 0 }));
    expect(APICallError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ statusCode: 400, message: 'That is wrong.' });
  });
});

/** Decodes an embedding: the client decodes base64 only if it requested it by itself. */
function decoded(embedding: unknown): number[] {
  if (typeof embedding !== 'string') return listAt({ embedding }, 'embedding').map(Number);
  const bytes = Buffer.from(embedding, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_value, index) => bytes.readFloatLE(index * 4));
}

/** Returns the error class that the client throws for a status. */
function classOf(status: number): unknown {
  switch (status) {
    case 400:
      return OpenAI.BadRequestError;
    case 404:
      return OpenAI.NotFoundError;
    case 429:
      return OpenAI.RateLimitError;
    default:
      return OpenAI.InternalServerError;
  }
}
