// Real components: the API on a socket, PostgreSQL, and hosts that refuse what real ones refuse, with their
// error messages. Each block is one requirement of real hosts, and all blocks use the same strict host and
// the same server.
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { idsIn } from '../../../support/answers.js';
import { startApi, type TestApi } from '../../../support/api.js';
import {
  type ApiResponse,
  at,
  collect,
  eventsIn,
  listAt,
  registerUser,
  send,
  type TestUser,
} from '../../../support/client.js';
import { query } from '../../../support/stored.js';
import {
  anthropicRefusal,
  messagesIn,
  openaiRefusal,
  type Refusal,
  StrictHost,
} from '../../../support/strict-host.js';

const host = new StrictHost();
let api: TestApi;
let user: TestUser;

const WEATHER = {
  type: 'function',
  function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
const OSLO = {
  id: 'call_a',
  type: 'function',
  function: { name: 'get_weather', arguments: '{"city":"Oslo"}' },
};
const KIMI = { ...OSLO, id: 'functions.get_weather:0' };
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const IMAGE = { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } };

const OPENAI_HOSTS = ['deepseek', 'other', 'kimi', 'mistral', 'azure', 'voyage', 'plain'];

beforeAll(async () => {
  await host.listen();
  api = await startApi({
    OPENAI_BASE_URL: `${host.origin}/v1`,
    OPENAI_API_KEY: 'sk-placeholder',
    ANTHROPIC_BASE_URL: host.origin,
    ANTHROPIC_API_KEY: 'sk-ant-placeholder',
    OLLAMA_BASE_URL: host.origin,
    LLM_HOSTS: JSON.stringify(
      OPENAI_HOSTS.map((id) => ({
        id,
        base_url: `${host.origin}/${id}/v1`,
        models: ['m', 'gpt-5', 'openai/gpt-5'],
      })),
    ),
    DEFAULT_MODEL: 'plain/m',
    MODEL_ALIASES: JSON.stringify({ pair: ['anthropic/claude-sonnet-4-5', 'plain/m'] }),
    LLM_MAX_RETRIES: '0',
  });
  user = await registerUser(api.url);
});

afterEach(() => {
  host.reset();
});

afterAll(async () => {
  await api.close();
  await host.close();
});

const turn = (body: object): Promise<ApiResponse> =>
  user.request('POST', '/api/v1/chat', { message: 'Hi', ...body });
const chat = (body: object): Promise<ApiResponse> => user.request('POST', '/v1/chat/completions', body);
const messages = (body: object): Promise<ApiResponse> =>
  send(`${api.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': user.token, 'anthropic-version': '2023-06-01' },
    body: { max_tokens: 100, ...body },
  });
const results = (answer: ApiResponse, id: string, more: object = {}): Promise<ApiResponse> =>
  user.request('POST', `/api/v1/chat/${idsIn(answer.body).messageId}/tool-results`, {
    tool_results: [{ tool_call_id: id, content: '21' }],
    ...more,
  });
const ignored = ({ headers }: ApiResponse): string | null => headers.get('x-ignored-params');
const lastBody = (): unknown => host.bodies.at(-1);
const sentNames = (body: unknown): string[] =>
  typeof body === 'object' && body !== null ? Object.keys(body) : [];
/** Returns a string of a body unchanged, and any other value as JSON. */
const word = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? ''));
const userText = (text: string): object => ({ role: 'user', content: text });

/** DeepSeek's rule: an assistant message with tool calls must be sent back with its reasoning. */
function wantsReasoning(body: unknown): Refusal | undefined {
  const index = messagesIn(body).findIndex(
    (message) => at(message, 'tool_calls') !== undefined && !at(message, 'reasoning_content'),
  );
  return index === -1
    ? undefined
    : openaiRefusal(
        `Missing \`reasoning_content\` field in the assistant message at message index ${index}.`,
      );
}

describe('reasoning that a provider requires back', () => {
  const CALL = { fields: { reasoning_content: 'I look.', tool_calls: [OSLO] } };

  it('is sent back with tool results, in later turns and on regeneration', async () => {
    host.rule = wantsReasoning;
    host.answers.push(CALL, { text: '21 degrees', fields: { reasoning_content: 'I tell.' } });
    const first = await turn({ model: 'deepseek/m', tools: [WEATHER] });
    const second = await results(first, 'call_a');
    expect([first.status, second.status, at(second.body, 'message')]).toEqual([200, 200, '21 degrees']);
    expect(messagesIn(lastBody())[1]).toMatchObject({
      reasoning_content: 'I look.',
      tool_calls: [{ id: 'call_a' }],
    });
    const { conversationId, messageId } = idsIn(second.body);
    const next = await turn({ conversation_id: conversationId, model: 'deepseek/m', tools: [WEATHER] });
    expect(next.status).toBe(200);
    expect(messagesIn(lastBody()).map((message) => at(message, 'reasoning_content'))).toEqual([
      undefined,
      'I look.',
      undefined,
      'I tell.',
      undefined,
    ]);
    const path = `/api/v1/conversations/${conversationId}/messages/${messageId}/regenerate`;
    expect((await user.request('POST', path, {})).status).toBe(200);
    expect(at(messagesIn(lastBody())[1], 'reasoning_content')).toBe('I look.');
  });

  it('is sent to no other provider', async () => {
    host.answers.push(CALL);
    const first = await turn({ model: 'deepseek/m', tools: [WEATHER] });
    await results(first, 'call_a', { model: 'other/m' });
    expect(JSON.stringify(lastBody())).not.toContain('I look.');
    expect(JSON.stringify(lastBody())).not.toContain('provider_data');
  });

  it('is replaced by a placeholder if another provider generated the message', async () => {
    host.answers.push({ fields: { tool_calls: [OSLO] } });
    const first = await turn({ model: 'other/m', tools: [WEATHER] });
    host.rule = wantsReasoning;
    expect((await results(first, 'call_a', { model: 'deepseek/m' })).status).toBe(200);
  });

  it.each([false, true])('is sent back from clients with Anthropic’s format (stream: %s)', async (stream) => {
    host.rule = wantsReasoning;
    host.answers.push(CALL);
    const client = new Anthropic({ baseURL: api.url, apiKey: user.token, maxRetries: 0 });
    const request: Anthropic.MessageCreateParamsNonStreaming = {
      model: 'deepseek/m',
      max_tokens: 100,
      tools: [{ name: 'get_weather', input_schema: { type: 'object' } }],
      messages: [{ role: 'user', content: 'How is it?' }],
    };
    const { content } = await (stream
      ? client.messages.stream(request).finalMessage()
      : client.messages.create(request));
    expect(content.map(({ type }) => type)).toEqual(['thinking', 'tool_use']);
    const result = { type: 'tool_result', tool_use_id: 'call_a', content: '21' } as const;
    request.messages.push({ role: 'assistant', content }, { role: 'user', content: [result] });
    expect((await messages(request)).status).toBe(200);
    expect(messagesIn(lastBody())[1]).toMatchObject({ reasoning_content: 'I look.' });
    // Another provider gets none of it, and Claude no thinking that it has not signed.
    host.rule = () => undefined;
    await messages({ ...request, model: 'other/m' });
    expect(JSON.stringify(lastBody())).not.toContain('I look.');
    await messages({ ...request, model: 'anthropic/claude-sonnet-4-5', stream: true });
    expect(JSON.stringify(lastBody())).not.toContain('I look.');
  });

  it('is sent back as tool call signatures and reasoning_details, to the same model only', async () => {
    const signed = { ...OSLO, extra_content: { google: { thought_signature: 'c2lnbmVk' } } };
    const details = [{ type: 'reasoning.text', text: 'I look.', signature: 's', index: 0 }];
    host.answers.push({ fields: { reasoning_details: details, reasoning: 'I look.', tool_calls: [signed] } });
    const first = await turn({ model: 'other/m', tools: [WEATHER] });
    await results(first, 'call_a');
    expect(messagesIn(lastBody())[1]).toMatchObject({ reasoning_details: details, tool_calls: [signed] });
    await results(first, 'call_a', { model: 'other/gpt-5' });
    expect(JSON.stringify(lastBody())).not.toContain('c2lnbmVk');
  });
});

describe('the signature of a tool call', () => {
  const signature = { extra_content: { google: { thought_signature: 'c2lnbmVk' } } };
  const ROME = { ...OSLO, id: 'call_b' };
  const signatures = (body: unknown): unknown[] =>
    listAt(messagesIn(body)[1], 'tool_calls').map((call) => [at(call, 'id'), at(call, 'extra_content')]);
  const SIGNED = [
    ['call_a', signature.extra_content],
    ['call_b', undefined],
  ];

  it.each<[string, object[]]>([
    ['two calls come in one chunk', [{ ...OSLO, ...signature }, ROME]],
    [
      'the calls have no type',
      [
        { ...OSLO, ...signature, type: undefined },
        { ...ROME, type: undefined },
      ],
    ],
    [
      'the indexes do not start at 0',
      [
        { ...OSLO, ...signature, index: 1 },
        { ...ROME, index: 2 },
      ],
    ],
  ])('is sent back with that call if %s', async (_what, tool_calls) => {
    host.answers.push({ fields: { tool_calls } });
    const first = await turn({ model: 'other/m', tools: [WEATHER] });
    const second = await user.request('POST', `/api/v1/chat/${idsIn(first.body).messageId}/tool-results`, {
      tool_results: ['call_a', 'call_b'].map((id) => ({ tool_call_id: id, content: '21' })),
    });
    expect([second.status, signatures(lastBody())]).toEqual([200, SIGNED]);
  });

  it('reaches clients with OpenAI’s format, streamed and whole', async () => {
    const tool_calls = [{ ...OSLO, ...signature }, ROME];
    host.answers.push({ fields: { tool_calls } }, { fields: { content: undefined, tool_calls } });
    const request = { model: 'other/m', messages: [userText('Hi')], tools: [WEATHER] };
    const events = await collect(user.stream('/v1/chat/completions', { ...request, stream: true }));
    expect(JSON.stringify(events)).toContain('c2lnbmVk');
    expect(at((await chat(request)).body, 'choices', 0, 'message', 'tool_calls', 0)).toMatchObject(signature);
  });

  it.each([false, true])('is sent back from clients with Anthropic’s format (stream: %s)', async (stream) => {
    const tool_calls = [
      { ...OSLO, ...signature, index: 1 },
      { ...ROME, index: 2 },
    ];
    host.answers.push({ fields: { content: undefined, tool_calls } });
    const client = new Anthropic({ baseURL: api.url, apiKey: user.token, maxRetries: 0 });
    const request: Anthropic.MessageCreateParamsNonStreaming = {
      model: 'other/m',
      max_tokens: 100,
      tools: [{ name: 'get_weather', input_schema: { type: 'object' } }],
      messages: [{ role: 'user', content: 'How is it?' }],
    };
    const { content } = await (stream
      ? client.messages.stream(request).finalMessage()
      : client.messages.create(request));
    const results = ['call_a', 'call_b'].map((tool_use_id) => ({
      type: 'tool_result' as const,
      tool_use_id,
      content: '21',
    }));
    request.messages.push({ role: 'assistant', content }, { role: 'user', content: results });
    expect((await messages(request)).status).toBe(200);
    expect(signatures(lastBody())).toEqual(SIGNED);
  });
});

describe('tool call ids that a provider refuses', () => {
  const claude = (body: unknown): Refusal | undefined => {
    const blocks = messagesIn(body)
      .flatMap((message) => at(message, 'content'))
      .flat();
    const ids = blocks.flatMap((block) => at(block, 'id') ?? at(block, 'tool_use_id') ?? []);
    return ids.every((id) => /^[a-zA-Z0-9_-]+$/.test(word(id)))
      ? undefined
      : anthropicRefusal("messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
  };

  it('are replaced for Claude, in the call and in its result', async () => {
    host.answers.push({ fields: { tool_calls: [KIMI] } });
    const first = await turn({ model: 'kimi/m', tools: [WEATHER] });
    host.rule = claude;
    const second = await results(first, KIMI.id, { model: 'anthropic/claude-sonnet-4-5' });
    expect(second.status).toBe(200);
    const [, call, result] = messagesIn(lastBody());
    expect(at(call, 'content', 0, 'id')).toBe(at(result, 'content', 0, 'tool_use_id'));
    const { conversationId } = idsIn(second.body);
    expect(
      (
        await turn({
          conversation_id: conversationId,
          tools: [WEATHER],
          model: 'anthropic/claude-sonnet-4-5',
        })
      ).status,
    ).toBe(200);
    const history = [
      userText('x'),
      { role: 'assistant', content: null, tool_calls: [KIMI] },
      { role: 'tool', tool_call_id: KIMI.id, content: '21' },
    ];
    expect(
      (await chat({ model: 'anthropic/claude-sonnet-4-5', messages: history, tools: [WEATHER] })).status,
    ).toBe(200);
  });

  it('are sent unchanged to the host that generated them', async () => {
    host.answers.push({ fields: { tool_calls: [KIMI] } });
    const first = await turn({ model: 'kimi/m', tools: [WEATHER] });
    expect((await results(first, KIMI.id)).status).toBe(200);
    expect(at(messagesIn(lastBody())[1], 'tool_calls', 0, 'id')).toBe(KIMI.id);
  });

  it('are replaced by nine letters and digits once a host requires it, and immediately from then on', async () => {
    host.rule = (body) => {
      const ids = messagesIn(body).flatMap((message) => at(message, 'tool_call_id') ?? []);
      const wrong = ids.find((id) => !/^[a-zA-Z0-9]{9}$/.test(word(id)));
      if (wrong === undefined) return undefined;
      const message = `Tool call id was ${word(wrong)} but must be a-z, A-Z, 0-9, with a length of 9.`;
      return { body: { object: 'error', message, type: 'invalid_function_call', param: null, code: '3280' } };
    };
    for (const asked of [3, 2]) {
      host.bodies.length = 0;
      host.answers.push({ fields: { tool_calls: [OSLO] } });
      const first = await turn({ model: 'mistral/m', tools: [WEATHER] });
      expect((await results(first, 'call_a')).body).toMatchObject({ message: 'Hello' });
      expect(host.bodies).toHaveLength(asked);
    }
  });
});

describe('a host that requires alternating roles', () => {
  const alternate = (body: unknown): Refusal | undefined => {
    const roles = messagesIn(body).map((message) => at(message, 'role'));
    const others = roles.filter((role) => role !== 'system');
    return others.every((role, index) => role === (index % 2 === 0 ? 'user' : 'assistant'))
      ? undefined
      : openaiRefusal('Conversation roles must alternate user/assistant/user/assistant/...');
  };

  it('can continue a conversation with a failed answer', async () => {
    host.rule = () => openaiRefusal('Not today.');
    const { status, headers } = await turn({ message: 'One', model: 'plain/m' });
    expect(status).toBe(400);
    const conversation_id = headers.get('x-conversation-id');
    host.rule = alternate;
    for (const message of ['Two', 'Three']) {
      expect((await turn({ message, conversation_id, model: 'plain/m' })).status).toBe(200);
    }
    const sent = messagesIn(host.bodies.at(-1)).map((message) => [
      at(message, 'role'),
      at(message, 'content'),
    ]);
    expect(sent).toEqual([
      ['user', 'One\n\nTwo'],
      ['assistant', 'Hello'],
      ['user', 'Three'],
    ]);
  });

  it('accepts consecutive user messages of clients with Anthropic’s format, because they are merged', async () => {
    host.rule = alternate;
    expect((await messages({ model: 'plain/m', messages: [userText('One'), userText('Two')] })).status).toBe(
      200,
    );
  });
});

describe('a parameter that the caller did not send', () => {
  const noTemperature = (body: unknown): Refusal | undefined => {
    const sent = at(body, 'temperature');
    return sent === undefined || sent === 1
      ? undefined
      : openaiRefusal(
          `Unsupported value: 'temperature' does not support ${word(sent)} with this model. Only the default (1) value is supported.`,
          'temperature',
          'unsupported_value',
        );
  };

  it('omits the default temperature for models known to refuse it', async () => {
    host.rule = noTemperature;
    for (const model of ['plain/gpt-5', 'plain/openai/gpt-5', 'openai/o3-mini']) {
      host.bodies.length = 0;
      expect([(await turn({ model })).status, host.bodies.length]).toEqual([200, 1]);
    }
    host.rule = () => undefined;
    const answer = await turn({ model: 'plain/m' });
    expect(at(lastBody(), 'temperature')).toBe(0.7);
    // A process of an older version that regenerates the answer would send every stored option.
    const { messageId } = idsIn(answer.body);
    expect(await query(api.database, 'SELECT options FROM messages WHERE id = $1', [messageId])).toEqual([
      { options: {} },
    ]);
  });

  it('is dropped when a host refuses it, immediately from then on, and without an extra attempt', async () => {
    host.rule = noTemperature;
    for (const asked of [2, 1]) {
      host.bodies.length = 0;
      const answer = await turn({ model: 'azure/m' });
      expect([answer.status, host.bodies.length, at(answer.body, 'usage', 'prompt_tokens')]).toEqual([
        200,
        asked,
        7,
      ]);
    }
    const used = await query(
      api.database,
      "SELECT attempt, outcome FROM usage_records WHERE provider = 'azure'",
    );
    expect(used).toEqual([1, 1].map((attempt) => ({ attempt, outcome: 'completed' })));
    // A parameter that the caller sent is preserved: only the caller can change it.
    const refused = await turn({ model: 'azure/m', temperature: 0.2 });
    expect([refused.status, at(refused.body, 'error', 'code')]).toEqual([400, 'provider_rejected']);
  });

  const refusals: readonly (readonly [string, (body: unknown) => unknown, Refusal])[] = [
    [
      'anthropic/claude-sonnet-4-0',
      (body) => at(body, 'temperature'),
      anthropicRefusal('temperature: Extra inputs are not permitted'),
    ],
    [
      'anthropic/glm-5',
      (body) => at(body, 'temperature'),
      anthropicRefusal('`temperature` is deprecated for this model.'),
    ],
    [
      'anthropic/glm-6',
      (body) => at(body, 'temperature'),
      { ...anthropicRefusal('temperature: Extra inputs are not permitted'), status: 200 },
    ],
    [
      'ollama/m',
      (body) => at(body, 'options', 'temperature'),
      { body: { error: 'temperature is not supported by this model' } },
    ],
    [
      'ollama/n',
      (body) => at(body, 'options', 'temperature'),
      { status: 200, body: { error: 'temperature is not supported by this model' } },
    ],
  ];
  it.each(refusals)(
    'is dropped when %s refuses it, immediately from then on',
    async (model, sent, refusal) => {
      host.rule = (body) => (sent(body) === undefined ? undefined : refusal);
      for (const asked of [2, 1]) {
        host.bodies.length = 0;
        const { status, body } = await turn({ model });
        expect([status, at(body, 'message'), host.bodies.length]).toEqual([200, 'Hello', asked]);
      }
      const refused = await turn({ model, temperature: 0.2 });
      expect(refused.status).not.toBe(200);
    },
  );

  it('is replaced by the maximum that Claude names, if it is the token limit', async () => {
    host.rule = (body) =>
      Number(at(body, 'max_tokens')) > 4096
        ? anthropicRefusal(
            `max_tokens: ${word(at(body, 'max_tokens'))} > 4096, which is the maximum allowed number of output tokens for claude-3-haiku-20240307`,
          )
        : undefined;
    const model = 'anthropic/claude-3-haiku-20240307';
    for (const asked of [2, 1]) {
      host.bodies.length = 0;
      expect([(await turn({ model })).status, host.bodies.length]).toEqual([200, asked]);
      expect(at(lastBody(), 'max_tokens')).toBe(4096);
    }
    expect((await turn({ model, max_tokens: 5000 })).status).toBe(400);
    expect((await turn({ model, max_tokens: 50 })).status).toBe(200);
    expect(at(lastBody(), 'max_tokens')).toBe(50);
  });

  it('is not listed as ignored, while one that the caller sent is', async () => {
    const answer = await turn({ model: 'anthropic/claude-opus-4-7', temperature: 0.2 });
    expect([answer.status, ignored(answer)]).toEqual([200, 'temperature']);
    expect(at(answer.body, 'ignored_params')).toEqual(['temperature']);
    const body = { message: 'Hi', model: 'anthropic/claude-opus-4-7', temperature: 0.2 };
    const events = await collect(user.stream('/api/v1/chat/stream', body));
    expect(at(events.at(-2), 'ignored_params')).toEqual(['temperature']);
    expect(ignored(await turn({ model: 'anthropic/claude-opus-4-7' }))).toBeNull();
  });

  it('is learned correctly by concurrent calls, each of which is answered', async () => {
    host.rule = noTemperature;
    const answers = await Promise.all(Array.from({ length: 8 }, () => turn({ model: 'kimi/m' })));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    host.bodies.length = 0;
    await turn({ model: 'kimi/m' });
    expect(host.bodies).toHaveLength(1);
  });

  it('does not include a parameter that Claude’s format lacks: it is refused with 400', async () => {
    const answer = await chat({
      model: 'anthropic/claude-sonnet-4-5',
      messages: [userText('x')],
      response_format: { type: 'json_object' },
    });
    expect([answer.status, at(answer.body, 'error', 'code'), at(answer.body, 'error', 'param')]).toEqual([
      400,
      'invalid_request',
      'response_format',
    ]);
    expect(host.bodies).toHaveLength(0);
  });

  it('leaves json_object, which Claude’s format lacks, to the next model of a chain', async () => {
    const response_format = { type: 'json_object' };
    const body = { model: 'pair', messages: [userText('x')], response_format };
    const answer = await chat(body);
    expect([answer.status, at(answer.body, 'model'), host.bodies.length]).toEqual([200, 'plain/m', 1]);
    expect(at(lastBody(), 'response_format')).toEqual(response_format);
    host.answers.push({ text: '{}' });
    expect((await turn({ model: 'pair', response_format })).status).toBe(200);
    const claude = await turn({ model: 'anthropic/claude-sonnet-4-5', response_format });
    // Refused before anything is stored.
    expect([claude.status, claude.headers.get('x-conversation-id')]).toEqual([400, null]);
  });

  it('includes stream_options, which a host may refuse', async () => {
    host.rule = (body) =>
      at(body, 'stream_options') === undefined
        ? undefined
        : {
            status: 422,
            body: {
              object: 'error',
              message: {
                detail: [
                  {
                    type: 'extra_forbidden',
                    loc: ['body', 'stream_options', 'include_usage'],
                    msg: 'Extra inputs are not permitted',
                    input: true,
                  },
                ],
              },
            },
          };
    const events = await collect(
      user.stream('/v1/chat/completions', { model: 'other/m', messages: [userText('x')], stream: true }),
    );
    expect(events.at(-1)).toBe('[DONE]');
  });
});

describe('the name of the token limit', () => {
  const onlyNew = (body: unknown): Refusal | undefined =>
    at(body, 'max_tokens') === undefined
      ? undefined
      : openaiRefusal(
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
          'max_tokens',
          'unsupported_parameter',
        );

  it.each(['max_tokens', 'max_completion_tokens'])('stays %s if the client used it', async (name) => {
    await chat({ model: 'voyage/m', messages: [userText('x')], [name]: 20 });
    expect(sentNames(lastBody()).filter((one) => one.startsWith('max_'))).toEqual([name]);
  });

  it('is learned from a refusal if Parley chose it, for turns and clients with Anthropic’s format', async () => {
    host.rule = onlyNew;
    for (const asked of [2, 1]) {
      host.bodies.length = 0;
      expect([(await turn({ model: 'voyage/m', max_tokens: 20 })).status, host.bodies.length]).toEqual([
        200,
        asked,
      ]);
      expect(at(lastBody(), 'max_completion_tokens')).toBe(20);
    }
    expect((await messages({ model: 'kimi/m', messages: [userText('x')] })).status).toBe(200);
    expect(
      (await chat({ model: 'voyage/m', messages: [userText('x')], max_completion_tokens: 20 })).status,
    ).toBe(200);
    expect((await chat({ model: 'voyage/m', messages: [userText('x')], max_tokens: 20 })).status).toBe(400);
  });
});

describe('encoding_format', () => {
  const onlyBase64 = (body: unknown): Refusal | undefined =>
    at(body, 'encoding_format') === 'float'
      ? {
          body: {
            detail:
              "Value 'float' supplied for argument 'encoding_format' is not valid -- accepted values are 'base64'.",
          },
        }
      : undefined;

  it('is handled by Parley and not sent to the host', async () => {
    host.rule = onlyBase64;
    const ask = (body: object): Promise<ApiResponse> =>
      user.request('POST', '/v1/embeddings', { model: 'voyage/m', input: 'x', ...body });
    const [plain, float, base64] = [
      await ask({}),
      await ask({ encoding_format: 'float' }),
      await ask({ encoding_format: 'base64' }),
    ];
    expect([plain, float, base64].map(({ body }) => at(body, 'data', 0, 'embedding'))).toEqual([
      [1, 0],
      [1, 0],
      'AACAPwAAAAA=',
    ]);
    expect(host.bodies.map(sentNames)).toEqual([1, 2, 3].map(() => ['model', 'input']));
  });

  it('is sent to a host that requires it', async () => {
    host.rule = (body) =>
      at(body, 'encoding_format') === undefined
        ? openaiRefusal("encoding_format must be 'float' or 'base64'")
        : undefined;
    expect((await user.request('POST', '/v1/embeddings', { model: 'plain/m', input: 'x' })).status).toBe(200);
  });
});

describe('a request to Claude', () => {
  const SONNET = 'anthropic/claude-sonnet-4-5';

  it('disables thinking for a history with unsigned tool calls, and lists reasoning_effort as ignored', async () => {
    host.rule = (body) => {
      const last = messagesIn(body).findLast((message) => at(message, 'role') === 'assistant');
      const type = at(last, 'content', 0, 'type');
      const thinks = at(body, 'thinking', 'type') === 'enabled';
      return thinks && last !== undefined && type !== 'thinking' && type !== 'redacted_thinking'
        ? anthropicRefusal(
            `messages.1.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${word(type)}\`.`,
          )
        : undefined;
    };
    const history = [
      userText('x'),
      { role: 'assistant', content: null, tool_calls: [OSLO] },
      { role: 'tool', tool_call_id: 'call_a', content: '21' },
    ];
    const answer = await chat({
      model: SONNET,
      reasoning_effort: 'high',
      tools: [WEATHER],
      messages: history,
    });
    expect([answer.status, ignored(answer)]).toEqual([200, 'reasoning_effort']);
    const fresh = await chat({
      model: SONNET,
      reasoning_effort: 'high',
      tools: [WEATHER],
      messages: [userText('x')],
    });
    expect([fresh.status, ignored(fresh), at(lastBody(), 'thinking', 'type')]).toEqual([
      200,
      null,
      'enabled',
    ]);
  });

  it('contains no blank text blocks', async () => {
    host.rule = (body) => {
      const content = [
        ...messagesIn(body).flatMap((message) => at(message, 'content')),
        at(body, 'system'),
      ].flat();
      const blank = content.some(
        (block) => at(block, 'type') === 'text' && word(at(block, 'text')).trim() === '',
      );
      return blank
        ? anthropicRefusal('messages: text content blocks must contain non-whitespace text')
        : undefined;
    };
    const call = { role: 'assistant', content: '\n\n', tool_calls: [OSLO] };
    const histories: object[][] = [
      [userText('x'), { role: 'assistant', content: '\n' }, userText('y')],
      [userText('x'), call, { role: 'tool', tool_call_id: 'call_a', content: ' ' }, userText('y')],
      [
        { role: 'system', content: ' ' },
        {
          role: 'user',
          content: [
            { type: 'text', text: ' ' },
            { type: 'text', text: 'x' },
          ],
        },
      ],
    ];
    for (const history of histories)
      expect((await chat({ model: SONNET, tools: [WEATHER], messages: history })).status).toBe(200);
  });

  it.each(['data:image/jpg;base64,', 'data:IMAGE/JPEG;base64,', 'data:image/jpeg;charset=utf-8;base64,'])(
    'labels a JPEG as image/jpeg even if it was sent as %s',
    async (prefix) => {
      const image = { type: 'image_url', image_url: { url: prefix + PIXEL } };
      expect((await chat({ model: SONNET, messages: [{ role: 'user', content: [image] }] })).status).toBe(
        200,
      );
      expect(at(messagesIn(lastBody())[0], 'content', 0, 'source', 'media_type')).toBe('image/jpeg');
    },
  );
});

describe('an image in a tool result', () => {
  const history = [
    userText('x'),
    { role: 'assistant', content: null, tool_calls: [OSLO] },
    { role: 'tool', tool_call_id: 'call_a', content: [{ type: 'text', text: 'A screenshot:' }, IMAGE] },
  ];

  it('is sent to Claude as a part of the result', async () => {
    expect(
      (await chat({ model: 'anthropic/claude-sonnet-4-5', tools: [WEATHER], messages: history })).status,
    ).toBe(200);
    expect(at(messagesIn(lastBody())[2], 'content', 0, 'content')).toEqual([
      { type: 'text', text: 'A screenshot:' },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
    ]);
  });

  it('is sent to Ollama as a user message after the result', async () => {
    expect((await chat({ model: 'ollama/m', tools: [WEATHER], messages: history })).status).toBe(200);
    expect(messagesIn(lastBody()).slice(2)).toMatchObject([
      { role: 'tool', content: 'A screenshot:' },
      { role: 'user', images: [PIXEL] },
    ]);
  });
});

describe('a client with Anthropic’s format', () => {
  it('may send a long user id: the host gets a hash, and the parameter is listed as ignored', async () => {
    const user_id = `user_${'a'.repeat(64)}_account_${'b'.repeat(36)}_session`;
    host.rule = (body) =>
      word(at(body, 'user')).length > 64
        ? openaiRefusal("Invalid 'user': string too long.", 'user', 'string_above_max_length')
        : undefined;
    const ask = (id: string): Promise<ApiResponse> =>
      messages({ model: 'plain/m', messages: [userText('x')], metadata: { user_id: id } });
    const first = await ask(user_id);
    expect([first.status, ignored(first)]).toEqual([200, 'user']);
    const hash = at(lastBody(), 'user');
    expect(word(hash)).toMatch(/^[a-zA-Z0-9]+$/);
    await ask(user_id);
    expect(at(lastBody(), 'user')).toBe(hash);
    const short = await ask('me');
    expect([ignored(short), at(lastBody(), 'user')]).toEqual([null, 'me']);
  });

  it('receives an estimate of its input tokens at the start of a stream, and the host’s count at the end', async () => {
    const words = 'word '.repeat(500);
    const { body } = await messages({ model: 'plain/m', stream: true, messages: [userText(words)] });
    const usage = (type: string, ...path: string[]): unknown =>
      at(
        eventsIn(body).find(({ data }) => at(data, 'type') === type)?.data,
        ...path,
        'usage',
        'input_tokens',
      );
    expect(Number(usage('message_start', 'message'))).toBeGreaterThan(250);
    expect(Number(usage('message_start', 'message'))).toBeLessThan(1000);
    expect(usage('message_delta')).toBe(7);
  });
});
