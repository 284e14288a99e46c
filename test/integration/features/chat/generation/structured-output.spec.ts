// Real components: the API on a socket with its jobs, PostgreSQL, and the providers' protocols; the test
// scripts the model's text.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { idsIn, named, rejoin, stop, beginStream } from '../../../../support/answers.js';
import { asking, startApi, type TestApi } from '../../../../support/api.js';
import {
  type ApiResponse,
  at,
  collect,
  listAt,
  registerUser,
  send,
  type TestUser,
  textOf,
} from '../../../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import type { Behavior } from '../../../../support/fake-provider/script.js';
import { expectSettled, stored } from '../../../../support/stored.js';

const CHAT = '/api/v1/chat';
const STREAM = '/api/v1/chat/stream';

const SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const CITY = {
  response_format: { type: 'json_schema', json_schema: { name: 'city', schema: SCHEMA, strict: true } },
};
const OBJECT = { response_format: { type: 'json_object' } };
const OSLO = '{"city":"Oslo"}';

/** Answers that violate the format, with the expected error messages. */
const BROKEN: readonly (readonly [string, object, Behavior, RegExp])[] = [
  ['text that is not JSON', OBJECT, { kind: 'answer', text: 'The city is Oslo.' }, /cannot be parsed/],
  ['JSON in a code block', OBJECT, { kind: 'answer', text: '```json\n{}\n```' }, /cannot be parsed/],
  ['JSON that is not an object', OBJECT, { kind: 'answer', text: '["Oslo"]' }, /not an object/],
  [
    'JSON truncated at the token limit',
    CITY,
    { kind: 'answer', text: '{"city":"Os', finishReason: 'length' },
    /cut off at its token limit/,
  ],
  [
    'JSON with a field of the wrong type',
    CITY,
    { kind: 'answer', text: '{"city":7}' },
    /\/city must be string/,
  ],
  ['JSON without a field', CITY, { kind: 'answer', text: '{}' }, /must have required property 'city'/],
  ['no text at all', CITY, { kind: 'answer', text: '' }, /cannot be parsed/],
];

let provider: FakeProvider;
let api: TestApi;
let user: TestUser;

beforeAll(async () => {
  provider = await startFakeProvider();
  api = await startApi({
    ...asking(provider),
    ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
    OLLAMA_BASE_URL: provider.origin,
  });
  user = await registerUser(api.url);
});

afterEach(() => provider.reset());

afterAll(async () => {
  await api.close();
  await provider.close();
});

/** Reads the ids of a failed answer from its headers. */
function idsOf({ headers }: ApiResponse): { conversationId: string; messageId: string } {
  return {
    conversationId: headers.get('x-conversation-id') ?? '',
    messageId: headers.get('x-message-id') ?? '',
  };
}

async function messageOf(conversationId: string, messageId: string): Promise<unknown> {
  const { body } = await user.request('GET', `/api/v1/conversations/${conversationId}/messages`);
  return listAt(body, 'data').find((message) => at(message, 'id') === messageId);
}

describe('an answer in the requested format', () => {
  it.each([
    ['openai', CITY, CITY],
    ['openai', OBJECT, OBJECT],
    ['anthropic', CITY, { output_config: { format: { type: 'json_schema', schema: SCHEMA } } }],
    ['ollama', CITY, { format: SCHEMA }],
    ['ollama', OBJECT, { format: 'json' }],
  ])('is requested from %s in its API format, and returned like any other: %j', async (id, format, sent) => {
    for (const path of [CHAT, STREAM]) {
      provider.script({ kind: 'answer', text: OSLO });
      const body = { message: 'Which city?', model: `${id}/test-model`, ...format };
      if (path === CHAT) {
        const answer = await user.request('POST', path, body);
        expect([answer.status, at(answer.body, 'message')]).toEqual([200, OSLO]);
      } else {
        const events = await collect(user.stream(path, body));
        expect([textOf(events), events.at(-1)]).toEqual([OSLO, '[DONE]']);
      }
      expect(provider.requests.at(-1)?.body).toMatchObject(sent);
    }
  });

  it('has the same format when it is regenerated or its question is edited, until text is requested', async () => {
    provider.setDefault({ kind: 'answer', text: OSLO });
    const first = await user.request('POST', CHAT, { message: 'Which city?', ...CITY });
    const { conversationId, messageId } = idsIn(first.body);
    const path = `/api/v1/conversations/${conversationId}/messages/${messageId}/regenerate`;
    expect((await user.request('POST', path, {})).status).toBe(200);
    expect(provider.requests.at(-1)?.body).toMatchObject(CITY);
    const { body: list } = await user.request('GET', `/api/v1/conversations/${conversationId}/messages`);
    const edit = `/api/v1/conversations/${conversationId}/messages/${String(at(list, 'data', 0, 'id'))}/edit`;
    const edited = await user.request('POST', edit, { message: 'Which one?', ...OBJECT });
    expect(provider.requests.at(-1)?.body).toMatchObject(OBJECT);
    provider.setDefault({ kind: 'answer', text: 'Oslo' });
    const again = `/api/v1/conversations/${conversationId}/messages/${idsIn(edited.body).messageId}/regenerate`;
    expect((await user.request('POST', again, {})).status).toBe(422);
    const asText = await user.request('POST', again, { response_format: { type: 'text' } });
    expect([asText.status, at(asText.body, 'message')]).toEqual([200, 'Oslo']);
    expect(provider.requests.at(-1)?.body).not.toHaveProperty('response_format');
  });

  it('is not validated if it calls tools, but the answer after their results is', async () => {
    const tools = [{ type: 'function', function: { name: 'locate' } }];
    provider.script({ kind: 'answer', toolCalls: [{ id: 'call_a', name: 'locate', arguments: '{}' }] });
    const called = await user.request('POST', CHAT, { message: 'Which city?', tools, ...CITY });
    expect([called.status, at(called.body, 'finish_reason')]).toEqual([200, 'tool_calls']);
    const { messageId } = idsIn(called.body);
    const results = { tool_results: [{ tool_call_id: 'call_a', content: 'Oslo' }] };
    provider.script({ kind: 'answer', text: 'Oslo' });
    expect((await user.request('POST', `${CHAT}/${messageId}/tool-results`, results)).status).toBe(422);
    provider.script({ kind: 'answer', text: OSLO });
    expect((await user.request('POST', `${CHAT}/${messageId}/tool-results`, results)).status).toBe(200);
  });

  it('is not validated if its user stopped it', async () => {
    const gate = gatedAnswer(['{"city":', '"Oslo"}']);
    provider.script(gate);
    const { messageId, events } = await beginStream(provider, user, CITY);
    gate.release();
    await events.next();
    expect(at((await stop(user, messageId)).body, 'finish_reason')).toBe('stopped');
    expect((await collect(events)).at(-1)).toBe('[DONE]');
  });
});

describe('an answer that violates the requested format', () => {
  it.each(BROKEN)('is a 422, stored as failed and billed: %s', async (_what, format, behavior, reason) => {
    provider.script(behavior);
    const answer = await user.request('POST', CHAT, { message: 'Which city?', ...format });
    const error = at(answer.body, 'error');
    expect([answer.status, error]).toEqual([
      422,
      expect.objectContaining({ code: 'output_parse_error', message: expect.stringMatching(reason) }),
    ]);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    const { conversationId, messageId } = idsOf(answer);
    expect(await messageOf(conversationId, messageId)).toMatchObject({
      status: 'failed',
      content: 'text' in behavior ? behavior.text : '',
      error: { code: 'output_parse_error', message: at(error, 'message') },
      usage: { completion_tokens: expect.any(Number) },
    });
    const conversation = await stored(api.database, conversationId);
    expect(conversation.usage).toMatchObject([{ outcome: 'completed' }]);
    expectSettled(conversation);
  });

  it('ends its stream with the error, after the text and once it is stored', async () => {
    provider.script({ kind: 'answer', text: 'The city is Oslo.' });
    const events = user.stream(STREAM, { message: 'Which city?', ...CITY });
    const seen: unknown[] = [];
    for await (const { data } of events) {
      seen.push(data);
      if (at(data, 'error') === undefined) continue;
      const { conversationId, messageId } = idsIn(seen[0]);
      expect(await messageOf(conversationId, messageId)).toMatchObject({ status: 'failed' });
    }
    expect(textOf(seen)).toBe('The city is Oslo.');
    expect(at(seen.at(-1), 'error', 'code')).toBe('output_parse_error');
  });

  it('ends with the same error if its stream is resumed or its request repeated', async () => {
    const key = randomUUID();
    provider.script({ kind: 'answer', text: 'The city is Oslo.' });
    const body = { message: 'Which city?', ...CITY };
    const first = await named(api.url, user, CHAT, key, body);
    const again = await named(api.url, user, CHAT, key, body);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([422, 'true']);
    expect(at(again.body, 'error')).toEqual(at(first.body, 'error'));
    const { messageId } = idsOf(first);
    const all = await collect(rejoin(api.url, user, messageId));
    expect([textOf(all), at(all.at(-1), 'error')]).toEqual(['The city is Oslo.', at(first.body, 'error')]);
    const rest = await collect(rejoin(api.url, user, messageId, '1.12'));
    expect([textOf(rest), at(rest.at(-1), 'error')]).toEqual(['Oslo.', at(first.body, 'error')]);
    expect(provider.requests.filter(({ route }) => route === 'chat')).toHaveLength(1);
  });

  it('ends with the same error for a follower of the running answer', async () => {
    const gate = gatedAnswer(['The city', ' is Oslo.']);
    provider.script(gate);
    const { messageId, events } = await beginStream(provider, user, OBJECT);
    const follower = rejoin(api.url, user, messageId);
    gate.finish();
    const [own, other] = await Promise.all([collect(events), collect(follower)]);
    expect(textOf(other)).toBe('The city is Oslo.');
    expect(at(other.at(-1), 'error')).toEqual(at(own.at(-1), 'error'));
    expect(at(own.at(-1), 'error', 'code')).toBe('output_parse_error');
  });

  it('is sent to the model in the next turn, so that it can be corrected', async () => {
    provider.script({ kind: 'answer', text: 'The city is Oslo.' }, { kind: 'answer', text: OSLO });
    const { conversationId } = idsOf(await user.request('POST', CHAT, { message: 'Which city?', ...CITY }));
    const more = { message: 'As JSON, please.', conversation_id: conversationId, ...CITY };
    expect((await user.request('POST', CHAT, more)).status).toBe(200);
    expect(at(provider.requests.at(-1)?.body, 'messages', 1)).toMatchObject({ content: 'The city is Oslo.' });
  });

  it('is not cached', async () => {
    provider.script({ kind: 'answer', text: 'The city is Oslo.' }, { kind: 'answer', text: OSLO });
    const body = { message: 'Which city, from the cache?', cache: true, ...CITY };
    expect((await user.request('POST', CHAT, body)).status).toBe(422);
    const again = await user.request('POST', CHAT, body);
    expect([again.status, at(again.body, 'cached')]).toEqual([200, false]);
    const third = await user.request('POST', CHAT, body);
    expect([third.status, at(third.body, 'cached')]).toEqual([200, true]);
  });

  it('is returned unchanged to OpenAI clients, which validate it themselves', async () => {
    provider.script({ kind: 'answer', text: 'The city is Oslo.' });
    const answer = await send(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'x-conversation-id': 'new' },
      body: { messages: [{ role: 'user', content: 'Which city?' }], ...CITY },
    });
    expect([answer.status, at(answer.body, 'choices', 0, 'message', 'content')]).toEqual([
      200,
      'The city is Oslo.',
    ]);
  });
});

describe('an invalid response_format', () => {
  const format = (more: object): object => ({ response_format: { type: 'json_schema', ...more } });
  it.each([
    [{ response_format: 'json' }, 'response_format'],
    [{ response_format: {} }, 'response_format.type'],
    [{ response_format: { type: 'grammar' } }, 'response_format.type'],
    [format({}), 'response_format.json_schema'],
    [format({ json_schema: null }), 'response_format.json_schema'],
    [format({ json_schema: { schema: SCHEMA } }), 'response_format.json_schema.name'],
    [format({ json_schema: { name: 'a b', schema: SCHEMA } }), 'response_format.json_schema.name'],
    [format({ json_schema: { name: 'n' } }), 'response_format.json_schema.schema'],
    [format({ json_schema: { name: 'n', schema: null } }), 'response_format.json_schema.schema'],
    [format({ json_schema: { name: 'n', schema: [] } }), 'response_format.json_schema.schema'],
    [
      format({ json_schema: { name: 'n', schema: { $ref: 'https://example.com/a' } } }),
      'response_format.json_schema.schema',
    ],
    [format({ json_schema: { name: 'n', schema: { type: 'city' } } }), 'response_format.json_schema.schema'],
    [
      format({ json_schema: { name: 'n', schema: { description: 'x'.repeat(17_000) } } }),
      'response_format.json_schema.schema',
    ],
    [format({ json_schema: { name: 'n', schema: SCHEMA, more: 1 } }), 'response_format.json_schema.more'],
  ])('is refused, names the parameter, stores nothing and calls no provider: %j', async (wrong, param) => {
    for (const path of [CHAT, STREAM]) {
      const answer = await user.request('POST', path, { message: 'Which city?', ...wrong });
      expect([answer.status, at(answer.body, 'error')]).toEqual([
        400,
        expect.objectContaining({ code: 'invalid_request', param }),
      ]);
      expect(answer.headers.get('x-conversation-id')).toBeNull();
    }
    expect(provider.requests).toEqual([]);
  });

  it('is refused, naming the parameter, if the model does not support it', async () => {
    const demo = await user.request('POST', CHAT, { message: 'Which city?', model: 'demo/echo', ...CITY });
    expect([demo.status, at(demo.body, 'error', 'param')]).toEqual([400, 'response_format']);
    const claude = { message: 'Which city?', model: 'anthropic/test-model', ...OBJECT };
    const refused = await user.request('POST', CHAT, claude);
    expect([refused.status, at(refused.body, 'error', 'message')]).toEqual([
      400,
      expect.stringContaining('json_object'),
    ]);
  });
});
