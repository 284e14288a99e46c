// Real components: the API on a socket, PostgreSQL, and the protocols of the providers. The tests replace one
// nested field of a valid request at a time, so that every value that a mapping reads is invalid once. The
// valid requests of all routes make up nearly half of the file.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi, type TestApi } from '../../support/api.js';
import { at, registerUser, send, type TestUser } from '../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../support/fake-provider/fake-provider.js';
import { type Mutation, mutationsOf } from '../../support/mutations.js';

const PROVIDERS = ['openai', 'anthropic', 'ollama'] as const;

/** A model name that no provider has. */
const UNKNOWN_MODEL = 'unknown-model';

/** Time limit for several thousand requests on a loaded machine, in milliseconds. */
const MANY_MS = 240_000;

const PARAMETERS = { type: 'object', properties: { city: { type: 'string' } } };
const PNG = 'data:image/png;base64,iVBORw0KGgo=';

const chatBody = (model: string): object => ({
  model,
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url: PNG, detail: 'low' } },
      ],
    },
    {
      role: 'assistant',
      content: 'I look.',
      refusal: null,
      tool_calls: [
        { id: 'call_a', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } },
      ],
      provider_data: { provider: 'none', blocks: [] },
    },
    { role: 'tool', tool_call_id: 'call_a', content: [{ type: 'text', text: 'Rain.' }] },
    { role: 'user', content: 'Go on.' },
  ],
  tools: [
    {
      type: 'function',
      function: { name: 'get_weather', description: 'Weather.', parameters: PARAMETERS, strict: true },
    },
  ],
  tool_choice: 'auto',
  parallel_tool_calls: true,
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: PARAMETERS, strict: true } },
  stop: ['END'],
  stream_options: { include_usage: true },
  max_completion_tokens: 50,
  max_tokens: 50,
  temperature: 1,
  top_p: 1,
  n: 1,
  seed: 1,
  user: 'u-1',
  logit_bias: { 50256: -100 },
  metadata: { a: 'b' },
  reasoning_effort: 'low',
  verbosity: 'low',
  prediction: { type: 'content', content: 'x' },
  modalities: ['text'],
  cache: false,
});

/**
 * Parts and fields that some providers refuse, so that they cannot be in one valid request for all of them.
 */
const oddChats = (model: string): object[] => [
  {
    model,
    messages: [{ role: 'user', content: [{ type: 'file', file: { file_data: PNG, filename: 'a' } }] }],
  },
  { model, messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] }] },
  {
    model,
    messages: [
      { role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }] },
    ],
  },
  { model, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: PNG }] }] },
  {
    model,
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }], refusal: 'No.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
      { role: 'function', name: 'f', content: 'x' },
    ],
    functions: [{ name: 'f', description: 'F.', parameters: PARAMETERS }],
    function_call: { name: 'f' },
  },
  {
    model,
    messages: [
      { role: 'user', content: 'Hi' },
      {
        role: 'assistant',
        tool_calls: [{ id: 'call_b', type: 'custom', custom: { name: 'c', input: 'x' } }],
      },
      { role: 'tool', tool_call_id: 'call_b', content: 'x' },
    ],
    tools: [{ type: 'custom', custom: { name: 'c', description: 'C.', format: { type: 'text' } } }],
    tool_choice: { type: 'custom', custom: { name: 'c' } },
  },
  {
    model,
    messages: [{ role: 'user', content: 'Hi' }],
    tools: [{ type: 'function', function: { name: 'f' } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
    audio: { voice: 'alloy', format: 'wav' },
    web_search_options: { search_context_size: 'low' },
    logprobs: true,
    top_logprobs: 2,
  },
  {
    model,
    messages: [{ role: 'user', content: 'Hi' }],
    tools: [{ type: 'function', function: { name: 'f' } }],
    tool_choice: {
      type: 'allowed_tools',
      allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'f' } }] },
    },
    response_format: { type: 'json_object' },
  },
];

const messagesBody = (model: string): object => ({
  model,
  max_tokens: 50,
  system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
        { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
        { type: 'redacted_thinking', data: 'x' },
        { type: 'tool_use', id: 'toolu_a', name: 'get_weather', input: { city: 'Oslo' } },
      ],
    },
    {
      role: 'user',
      content: [
        {
          type: 'tool_result',
          tool_use_id: 'toolu_a',
          is_error: false,
          content: [{ type: 'text', text: 'Rain.' }],
        },
      ],
    },
  ],
  tools: [{ name: 'get_weather', description: 'Weather.', input_schema: PARAMETERS, strict: true }],
  tool_choice: { type: 'tool', name: 'get_weather', disable_parallel_tool_use: true },
  thinking: { type: 'enabled', budget_tokens: 1024 },
  output_config: { effort: 'low', format: { type: 'json_schema', schema: PARAMETERS } },
  output_format: { type: 'json_schema', schema: PARAMETERS },
  stop_sequences: ['END'],
  metadata: { user_id: 'u-1' },
  temperature: 1,
  top_p: 1,
  top_k: 1,
  cache: false,
});

const embeddingBody = (model: string): object => ({
  model,
  input: ['one', 'two'],
  dimensions: 4,
  encoding_format: 'float',
  user: 'u-1',
});

const completionBody = (model: string): object => ({
  model,
  prompt: ['one', 'two'],
  tools: [{ type: 'function', function: { name: 'f', parameters: PARAMETERS } }],
  tool_choice: { type: 'function', function: { name: 'f' } },
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: PARAMETERS } },
  stop: ['END'],
  max_tokens: 50,
  max_completion_tokens: 50,
  stream_options: { include_usage: true },
  reasoning_effort: 'low',
  user: 'u-1',
});

const ollamaChatBody = (model: string): object => ({
  model,
  stream: false,
  messages: [{ role: 'user', content: 'Hi', images: ['iVBORw0KGgo='] }],
  tools: [{ type: 'function', function: { name: 'f', parameters: PARAMETERS } }],
  options: { temperature: 1 },
  format: PARAMETERS,
});

const ollamaGenerateBody = (model: string): object => ({
  model,
  stream: false,
  system: 'Be brief.',
  prompt: 'Hi',
  options: { temperature: 1 },
});

const turnBody = (model: string): object => ({
  model,
  message: 'Hi',
  temperature: 1,
  max_tokens: 50,
  tools: [
    {
      type: 'function',
      function: { name: 'f', description: 'F.', parameters: PARAMETERS, strict: true },
    },
  ],
  tool_choice: 'auto',
  cache: false,
  file_ids: [],
});

const importBody = (): object => ({
  version: 1,
  conversation: { title: 'Imported', system_prompt: 'Be brief.', archived: false },
  messages: [
    {
      id: 'a',
      parent_id: null,
      role: 'user',
      status: 'complete',
      content: 'Hi',
      active: true,
      attachments: [{ name: 'a.png', media_type: 'image/png' }],
      created_at: '2026-11-21T08:00:00Z',
    },
    {
      id: 'b',
      parent_id: 'a',
      role: 'assistant',
      status: 'complete',
      content: 'Hello',
      active: true,
      model: 'demo/echo',
      finish_reason: 'stop',
      tool_calls: [{ id: 'call_a', type: 'function', function: { name: 'f', arguments: '{}' } }],
      created_at: '2026-11-21T08:00:00Z',
      completed_at: '2026-11-21T08:00:01Z',
    },
  ],
});

let provider: FakeProvider;
let api: TestApi;
let user: TestUser;
let other: TestUser;

beforeAll(async () => {
  provider = await startFakeProvider();
  provider.models = ['test-model', 'claude-sonnet-4-5'];
  api = await startApi({
    OPENAI_BASE_URL: provider.baseUrl,
    ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
    OLLAMA_BASE_URL: provider.origin,
  });
  [user, other] = [await registerUser(api.url), await registerUser(api.url)];
});

afterEach(() => provider.reset());

afterAll(async () => {
  await api.close();
  await provider.close();
});

/** A route and the valid requests to it that the tests change. */
interface Route {
  readonly path: string;
  /** The tested models by provider name. */
  readonly models: Readonly<Partial<Record<(typeof PROVIDERS)[number], string>>>;
  readonly bodies: (model: string) => readonly object[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Number of concurrent requests. Default: 8. */
  readonly atOnce?: number;
}

/**
 * Returns every mutation of one field of the valid bodies. Fields common to several bodies are changed only
 * in the first.
 */
function mutationsFor({ bodies }: Route, model: string): Mutation[] {
  const known = new Set<string>();
  return bodies(model)
    .flatMap(mutationsOf)
    .filter(({ label, original }) => {
      const change = `${label} instead of ${JSON.stringify(original)}`;
      return !known.has(change) && known.add(change);
    });
}

/**
 * Sends requests concurrently and returns their statuses; adds internal and provider failures to `failures`.
 */
async function sendAll(route: Route, mutations: readonly Mutation[], failures: string[]): Promise<number[]> {
  const { path, atOnce = 8 } = route;
  const headers = { authorization: `Bearer ${user.token}`, ...route.headers };
  const statuses: number[] = [];
  const waiting = mutations.entries();
  const sendNext = async (): Promise<void> => {
    for (const [index, mutation] of waiting) {
      const { status, body } = await send(`${api.url}${path}`, {
        method: 'POST',
        body: mutation.body,
        headers,
      });
      statuses[index] = status;
      if (status >= 500 || status === 429)
        failures.push(`${mutation.label}: ${status} ${JSON.stringify(body)}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, sendNext));
  return statuses;
}

/**
 * Sends every mutation of the valid bodies to each of the models, and then a valid request of another account
 * to each. Mutations refused for an unknown model are refused before a model is chosen, and are not sent
 * again.
 * @returns descriptions of the internal and provider failures
 */
async function failuresAt(route: Route): Promise<string[]> {
  const failures: string[] = [];
  const models = Object.entries(route.models);
  const unserved = mutationsFor(route, UNKNOWN_MODEL);
  expect(unserved.length).toBeGreaterThan(20);
  const statuses = models.length > 1 ? await sendAll(route, unserved, failures) : [];
  const reaches = unserved.keys().filter((index) => statuses[index] !== 400);
  const indexes = new Set(reaches);
  expect(indexes.size).toBeGreaterThan(10);
  for (const [id, model] of models) {
    const some = mutationsFor(route, model).filter((_mutation, index) => indexes.has(index));
    const failed: string[] = [];
    await sendAll(route, some, failed);
    const messages = [{ role: 'user', content: 'Hi' }];
    const last = await other.request('POST', '/v1/chat/completions', { model: `${id}/test-model`, messages });
    if (last.status !== 200) failed.push(`a good request afterwards: ${last.status}`);
    failures.push(...failed.map((failure) => `${id}: ${failure}`));
  }
  return failures;
}

describe('one invalid field in a request', () => {
  const models = {
    openai: 'openai/test-model',
    anthropic: 'anthropic/test-model',
    ollama: 'ollama/test-model',
  };
  const turnOfCompletions = (model: string): object => ({
    model,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    tools: [{ type: 'function', function: { name: 'f', parameters: PARAMETERS } }],
    tool_choice: 'auto',
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: PARAMETERS } },
    stop: ['END'],
    max_completion_tokens: 50,
  });
  const routes: readonly Route[] = [
    { path: '/v1/chat/completions', models, bodies: (model) => [chatBody(model), ...oddChats(model)] },
    {
      path: '/v1/chat/completions',
      models,
      bodies: (model) => [turnOfCompletions(model)],
      headers: { 'x-conversation-id': 'new' },
    },
    { path: '/v1/completions', models, bodies: (model) => [completionBody(model)] },
    { path: '/v1/embeddings', models, bodies: (model) => [embeddingBody(model)] },
    { path: '/v1/messages', models, bodies: (model) => [messagesBody(model)] },
    { path: '/v1/messages/count_tokens', models, bodies: (model) => [messagesBody(model)] },
    { path: '/api/v1/chat', models, bodies: (model) => [turnBody(model)] },
    {
      path: '/ollama/api/chat',
      models: { ollama: 'test-model' },
      bodies: (model) => [ollamaChatBody(model)],
    },
    {
      path: '/ollama/api/generate',
      models: { ollama: 'test-model' },
      bodies: (model) => [ollamaGenerateBody(model)],
    },
    // An account can import one file at a time.
    {
      path: '/api/v1/conversations/import',
      models: { openai: '' },
      bodies: () => [importBody()],
      atOnce: 1,
    },
  ];

  it.each(
    routes.map((route) => [route.path, route.headers === undefined ? '' : ' in a turn', route] as const),
  )(
    'never causes an internal or provider failure, and blocks no other account: %s%s',
    async (_path, _turn, route) => {
      expect(await failuresAt(route)).toEqual([]);
    },
    MANY_MS,
  );

  it('is refused if it is a nested array of tools in a turn', async () => {
    const tool = { type: 'function', function: { name: 'f' } };
    for (const tools of [[[tool]], [tool, [tool]], [null], [[]], ['f'], { 0: tool }]) {
      const answer = await user.request('POST', '/api/v1/chat', {
        message: 'Hi',
        model: 'openai/test-model',
        tools,
      });
      expect([JSON.stringify(tools), answer.status]).toEqual([JSON.stringify(tools), 400]);
    }
    expect(provider.requests).toEqual([]);
  });

  const one = { role: 'user', content: 'Hi' };
  const user1 = (part: object): object => ({
    messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }, part] }],
  });
  const tools = [{ type: 'function', function: { name: 'f' } }];
  const calling = (call: object): object => ({ messages: [one, { role: 'assistant', tool_calls: [call] }] });
  const mistakes: readonly (readonly [object, string])[] = [
    [user1({ type: 'text' }), 'messages.0.content.1.text'],
    [user1({ type: 'text', text: null }), 'messages.0.content.1.text'],
    [user1({ type: 'image_url' }), 'messages.0.content.1.image_url'],
    [user1({ type: 'image_url', image_url: 7 }), 'messages.0.content.1.image_url'],
    [user1({ type: 'image_url', image_url: {} }), 'messages.0.content.1.image_url.url'],
    [user1({ type: 'file' }), 'messages.0.content.1.file'],
    [user1({ type: 'file', file: {} }), 'messages.0.content.1.file.file_data'],
    [user1({ type: 'file', file: { file_data: 7 } }), 'messages.0.content.1.file.file_data'],
    [user1({ type: 'input_audio', input_audio: {} }), 'messages.0.content.1.input_audio.data'],
    [user1({ type: 'refusal' }), 'messages.0.content.1.refusal'],
    [calling({ id: 'a', type: 'function' }), 'messages.1.tool_calls.0.function'],
    [calling({ id: 'a', type: 'function', name: 'f' }), 'messages.1.tool_calls.0.function'],
    [
      calling({ id: 'a', type: 'function', function: { name: 'f' } }),
      'messages.1.tool_calls.0.function.arguments',
    ],
    [calling({ id: 'a', type: 'custom' }), 'messages.1.tool_calls.0.custom'],
    [{ messages: [one, { role: 'tool', content: 'x' }] }, 'messages.1.tool_call_id'],
    [{ messages: [one, { role: 'function', content: 'x' }] }, 'messages.1.name'],
    [{ messages: [one, { role: 'assistant', provider_data: null }] }, 'messages.1.provider_data'],
    [{ tools: [{ type: 'function', name: 'f', parameters: {} }] }, 'tools.0.function'],
    [
      { tools: [{ type: 'function', function: { name: 'f', parameters: [] } }] },
      'tools.0.function.parameters',
    ],
    [{ tools, tool_choice: { type: 'function', name: 'f' } }, 'tool_choice.function'],
    [{ tools, tool_choice: { type: 'allowed_tools' } }, 'tool_choice.allowed_tools'],
    [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema'],
    [{ response_format: { type: 'json_schema', schema: {} } }, 'response_format.json_schema'],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'n', schema: 'x' } } },
      'response_format.json_schema.schema',
    ],
    [{ modalities: 'audio' }, 'modalities'],
    [{ functions: [{}] }, 'functions.0.name'],
  ];
  it.each(mistakes)('is named by its path in the error, for every provider: %j', async (mistake, param) => {
    for (const id of PROVIDERS) {
      const body = { model: `${id}/test-model`, messages: [one], ...mistake };
      const answer = await user.request('POST', '/v1/chat/completions', body);
      expect([answer.status, at(answer.body, 'error')]).toEqual([
        400,
        expect.objectContaining({ code: 'invalid_request', param, message: expect.stringContaining(param) }),
      ]);
    }
    expect(provider.requests).toEqual([]);
  });

  it('is also refused by /v1/messages/count_tokens', async () => {
    const body = { model: 'openai/test-model', messages: [one], stop_sequences: null };
    const { status } = await user.request('POST', '/v1/messages/count_tokens', body);
    expect(status).toBe(400);
  });
});

describe('an unusual but valid request', () => {
  it.each(PROVIDERS)('to %s may have an image URL as a plain string in its content part', async (id) => {
    const content = [{ type: 'image_url', image_url: PNG }];
    const body = { model: `${id}/test-model`, messages: [{ role: 'user', content }] };
    expect((await user.request('POST', '/v1/chat/completions', body)).status).toBe(200);
    const sent = JSON.stringify(provider.requests.find(({ route }) => route === 'chat')?.body);
    expect(sent).toContain('iVBORw0KGgo=');
    if (id === 'openai') expect(sent).toContain('"image_url":{"url":');
  });

  it.each(PROVIDERS)(
    'to %s may have null for any optional parameter, which means its default',
    async (id) => {
      const parameters = Object.keys(chatBody('')).filter((name) => name !== 'model' && name !== 'messages');
      const nulls = Object.fromEntries(parameters.map((name) => [name, null]));
      const body = { model: `${id}/test-model`, messages: [{ role: 'user', content: 'Hi' }], ...nulls };
      expect((await user.request('POST', '/v1/chat/completions', body)).status).toBe(200);
      const { body: sent } = provider.requests.find(({ route }) => route === 'chat') ?? {};
      expect(JSON.stringify(sent)).not.toContain('null');
    },
  );

  it('for an embedding may have null for any option, which means its default', async () => {
    const nulls = { dimensions: null, encoding_format: null, user: null };
    const body = { model: 'openai/test-model', input: 'x', ...nulls };
    const answer = await user.request('POST', '/v1/embeddings', body);
    expect([answer.status, at(answer.body, 'data', 0, 'embedding')]).toEqual([200, expect.any(Array)]);
  });
});

describe('a feature that only OpenAI’s protocol has', () => {
  const functions = [{ name: 'get_weather', parameters: PARAMETERS }];
  const one = { role: 'user', content: 'Hi' };
  const call = { name: 'get_weather', arguments: '{}' };
  const foreign: readonly (readonly [object, string])[] = [
    [{ functions, function_call: { name: 'get_weather' } }, 'functions'],
    [{ function_call: { name: 'get_weather' } }, 'function_call'],
    [{ response_format: { type: 'grammar', grammar: 'x' } }, 'response_format'],
    [{ reasoning_effort: 'default' }, 'reasoning_effort'],
    [{ tool_choice: 'any' }, 'tool_choice'],
    [
      { messages: [one, { role: 'assistant', content: null, function_call: call }] },
      'messages.1.function_call',
    ],
    [{ messages: [one, { role: 'function', name: 'get_weather', content: 'x' }] }, 'messages.1.role'],
  ];

  it.each(foreign)(
    'is refused, naming the parameter, by models of other protocols: %j',
    async (more, param) => {
      for (const model of ['anthropic/test-model', 'ollama/test-model', 'demo/echo']) {
        const body = { model, messages: [one], ...more };
        const answer = await user.request('POST', '/v1/chat/completions', body);
        expect([answer.status, at(answer.body, 'error')]).toEqual([
          400,
          expect.objectContaining({ code: 'invalid_request', param }),
        ]);
      }
      expect(provider.requests).toEqual([]);
    },
  );

  it.each(foreign)('is forwarded unchanged to a host with OpenAI’s protocol: %j', async (more) => {
    const body = { model: 'openai/test-model', messages: [one], ...more };
    expect((await user.request('POST', '/v1/chat/completions', body)).status).toBe(200);
    expect(provider.requests.at(-1)?.body).toMatchObject(more);
  });
});
