// Real components: the official OpenAI client, the API on a socket, PostgreSQL, and the provider's protocol.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { rejoin } from '../../support/answers.js';
import { at, collect, listAt, registerUser, send, textOf } from '../../support/client.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';
import { expectSettled, stored, untilSettled } from '../../support/stored.js';

const MODEL = 'openai/test-model';
const TOOLS = [{ type: 'function' as const, function: { name: 'get_weather' } }];
const CALL = { id: 'call_oslo', name: 'get_weather', arguments: '{"city":"Oslo"}' };

type Message = OpenAI.Chat.ChatCompletionMessageParam;

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  DEFAULT_MODEL: MODEL,
  LLM_MAX_RETRIES: '0',
}));
const user = setUpUser(api);

/** An OpenAI client that sends the id of a conversation with each request. */
function client(conversation: string): OpenAI {
  return new OpenAI({
    baseURL: `${api.url}/v1`,
    apiKey: user.token,
    maxRetries: 0,
    defaultHeaders: { 'X-Conversation-ID': conversation },
  });
}

const say = (content: string): Message => ({ role: 'user', content });

/** Starts a conversation with the client and returns its id. */
async function begin(content = 'first'): Promise<string> {
  const { response } = await client('new')
    .chat.completions.create({ model: MODEL, messages: [say(content)] })
    .withResponse();
  return String(response.headers.get('x-conversation-id'));
}

async function path(conversation: string): Promise<unknown[][]> {
  const { body } = await user.request('GET', `/api/v1/conversations/${conversation}/messages?limit=100`);
  return listAt(body, 'data').map((message) => [at(message, 'role'), at(message, 'content')]);
}

/** Returns the messages of the next request that reaches the model. */
async function messagesSentBy(work: () => Promise<unknown>): Promise<unknown[]> {
  const asked = provider.nextRequest('chat');
  await work();
  return listAt((await asked).body, 'messages');
}

describe('a Chat Completions request with X-Conversation-ID', () => {
  it('runs a turn with the messages after the last answer and takes the earlier ones from the conversation', async () => {
    const id = await begin('first');
    const sent = await messagesSentBy(() =>
      client(id).chat.completions.create({
        model: MODEL,
        messages: [
          { role: 'system', content: 'Be brief.' },
          say('never said here'),
          { role: 'assistant', content: 'nor this' },
          say('second'),
          say('third'),
        ],
      }),
    );
    expect(sent).toEqual([
      { role: 'system', content: 'Be brief.' },
      say('first'),
      { role: 'assistant', content: 'first' },
      say('second\n\nthird'),
    ]);
    expect(await path(id)).toEqual([
      ['user', 'first'],
      ['assistant', 'first'],
      ['user', 'second'],
      ['user', 'third'],
      ['assistant', 'second\n\nthird'],
    ]);
    // The system message applied to that turn only.
    const next = await messagesSentBy(() =>
      client(id).chat.completions.create({ model: MODEL, messages: [say('fourth')] }),
    );
    expect(next.map((message) => at(message, 'role'))).not.toContain('system');
    expectSettled(await stored(api.database, id));
  });

  it('responds in the Chat Completions format, with the ids in headers', async () => {
    const id = await begin();
    const { data, response } = await client(id)
      .chat.completions.create({ model: MODEL, messages: [say('hello there')] })
      .withResponse();
    expect(data).toMatchObject({
      object: 'chat.completion',
      model: MODEL,
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hello there' } }],
      usage: { prompt_tokens: expect.any(Number), completion_tokens: 2 },
    });
    expect(response.headers.get('x-conversation-id')).toBe(id);
    expect(data.id).toBe(`chatcmpl-${String(response.headers.get('x-message-id'))}`);
  });

  it('streams chunks with usage last, and the stream can be resumed by the message id', async () => {
    const id = await begin();
    const { data, response } = await client(id)
      .chat.completions.create({
        model: MODEL,
        messages: [say('one two three')],
        stream: true,
        stream_options: { include_usage: true },
      })
      .withResponse();
    const chunks = await Array.fromAsync(data);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('one two three');
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 3 } });
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    const again = await collect(rejoin(api.url, user, String(response.headers.get('x-message-id'))));
    expect(textOf(again)).toBe('one two three');
  });

  it('returns tool calls, streamed or not, and continues with their results', async () => {
    for (const stream of [false, true]) {
      const id = await begin();
      provider.script({ kind: 'answer', toolCalls: [CALL] });
      const messages = [say('How is it?')];
      const completions = client(id).chat.completions;
      const calls = stream
        ? (await completions.stream({ model: MODEL, messages, tools: TOOLS }).finalChatCompletion())
            .choices[0]
        : (await completions.create({ model: MODEL, messages, tools: TOOLS })).choices[0];
      expect(calls).toMatchObject({
        finish_reason: 'tool_calls',
        message: {
          // The client assembles the pieces of the stream.
          content: stream ? '' : null,
          tool_calls: [{ id: CALL.id, function: { name: CALL.name, arguments: CALL.arguments } }],
        },
      });
      const sent = await messagesSentBy(() =>
        completions.create({
          model: MODEL,
          tools: TOOLS,
          messages: [
            ...messages,
            { role: 'assistant', tool_calls: [] },
            { role: 'tool', tool_call_id: CALL.id, content: 'cold' },
          ],
        }),
      );
      expect(sent.slice(-2)).toMatchObject([
        { role: 'assistant', tool_calls: [{ id: CALL.id }] },
        { role: 'tool', tool_call_id: CALL.id, content: 'cold' },
      ]);
      expectSettled(await stored(api.database, id));
    }
  });

  it('completes the answer after its client disconnects', async () => {
    const id = await begin();
    const gate = gatedAnswer(['still ', 'here']);
    provider.script(gate);
    const stream = await client(id).chat.completions.create({
      model: MODEL,
      messages: [say('x')],
      stream: true,
    });
    stream.controller.abort();
    gate.finish();
    const { messages } = await untilSettled(api.database, id);
    expect(messages.at(-1)).toMatchObject({ status: 'complete', content: 'still here' });
  });

  it('runs once per Idempotency-Key, and one turn at a time', async () => {
    const id = await begin();
    const key = randomUUID();
    const ask = (content: string, idempotencyKey: string) =>
      client(id).chat.completions.create(
        { model: MODEL, messages: [say(content)] },
        { headers: { 'Idempotency-Key': idempotencyKey } },
      );
    const [one, two] = await Promise.all([ask('once', key), ask('once', key)]);
    expect(one.id).toBe(two.id);
    expect(await path(id)).toHaveLength(4);
    await expect(ask('other', key)).rejects.toMatchObject({ status: 409, code: 'idempotency_key_reused' });
    const gate = gatedAnswer(['a']);
    provider.script(gate);
    const asked = provider.nextRequest('chat');
    const running = ask('held', randomUUID());
    await asked;
    await expect(ask('busy', randomUUID())).rejects.toMatchObject({ status: 409, code: 'conversation_busy' });
    gate.finish();
    await running;
  });

  it('fails with a Chat Completions error and stores the question', async () => {
    const id = await begin();
    provider.script({ kind: 'error', status: 400, message: 'no such thing' });
    await expect(
      client(id).chat.completions.create({ model: MODEL, messages: [say('x')] }),
    ).rejects.toMatchObject({ status: 400 });
    expect((await path(id)).at(-2)).toEqual(['user', 'x']);
  });

  it.each([
    ['n above 1', { n: 2 }, 'n'],
    ['logprobs', { logprobs: true }, 'logprobs'],
    ['functions', { functions: [{ name: 'a' }] }, 'functions'],
    ['too many messages', { messages: Array.from({ length: 1001 }, () => say('x')) }, 'messages'],
    ['too many characters', { messages: [say('x'.repeat(600_000)), say('y'.repeat(600_000))] }, 'messages'],
    [
      'results of tool calls that were never made',
      { messages: [{ role: 'tool', tool_call_id: 'a', content: 'x' }] },
      'messages',
    ],
    [
      'an image',
      {
        messages: [
          {
            role: 'user',
            content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }],
          },
        ],
      },
      'messages',
    ],
    ['no message after the last answer', { messages: [{ role: 'assistant', content: 'x' }] }, 'messages'],
  ])(
    'is refused with 400 for %s, naming the parameter, and nothing is stored',
    async (_what, more, param) => {
      const id = await begin();
      const refused = await send(`${api.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${user.token}`, 'x-conversation-id': id },
        body: { model: MODEL, messages: [say('x')], ...more },
      });
      expect(refused).toMatchObject({ status: 400, body: { error: { param, code: 'invalid_request' } } });
      expect(await path(id)).toHaveLength(2);
    },
  );

  it.each([
    ['01999999-9999-7999-8999-999999999999', 404, 'not_found'],
    ['nonsense', 400, 'invalid_request'],
  ])('returns an error for an unknown conversation (%s): %i', async (id, status, code) => {
    await expect(
      client(id).chat.completions.create({ model: MODEL, messages: [say('x')] }),
    ).rejects.toMatchObject({ status, code });
  });

  it.each([
    ['/v1/completions', { model: MODEL, prompt: 'x' }],
    ['/v1/messages', { model: MODEL, max_tokens: 10, messages: [say('x')] }],
  ])('is refused at %s, which stores no conversations', async (path, body) => {
    const refused = await send(`${api.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'x-conversation-id': 'new' },
      body,
    });
    expect(refused.status).toBe(400);
    expect(String(at(refused.body, 'error', 'message'))).toContain('/v1/chat/completions');
  });

  it('returns 404 for another account’s conversation', async () => {
    const stranger = await registerUser(api.url);
    const { body } = await stranger.request('POST', '/api/v1/chat', { message: 'mine' });
    await expect(
      client(String(at(body, 'conversation_id'))).chat.completions.create({
        model: MODEL,
        messages: [say('x')],
      }),
    ).rejects.toMatchObject({ status: 404 });
  });
});
