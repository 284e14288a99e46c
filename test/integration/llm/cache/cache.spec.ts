// Several APIs use the cache; their cases share one provider, whose number of requests shows a hit or a miss.
import OpenAI from 'openai';
import { describe, expect, it } from '@jest/globals';
import { startApi, type TestApi } from '../../../support/api.js';
import { at, collect, listAt, registerUser, send, type TestUser, textOf } from '../../../support/client.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';
import type { RecordedRequest } from '../../../support/fake-provider/recorded-request.js';

const provider = setUpProvider();

/** A different question each time. */
let questions = 0;
function question(): string {
  questions += 1;
  return `Question ${questions} of ${process.pid} at ${Date.now()}`;
}

function environment(): Record<string, string> {
  return {
    OPENAI_BASE_URL: `${provider.origin}/v1`,
    ANTHROPIC_BASE_URL: provider.origin,
    MODEL_PRICES: JSON.stringify({ 'openai/*': { input: 1, output: 2 } }),
    LLM_MAX_RETRIES: '0',
    LLM_FIRST_TOKEN_TIMEOUT_MS: '1500',
    MODEL_ALIASES: JSON.stringify({ chain: ['openai/test-model', 'anthropic/test-model'] }),
  };
}

function clientOf(api: TestApi, user: TestUser): OpenAI {
  return new OpenAI({ baseURL: `${api.url}/v1`, apiKey: user.token, maxRetries: 0 });
}

/** Returns the chat requests that reached the provider. */
function chats(): readonly RecordedRequest[] {
  return provider.requests.filter(({ route }) => route === 'chat');
}

function complete(user: TestUser, content: string, more: object = {}) {
  const messages = [{ role: 'user', content }];
  return user.request('POST', '/v1/chat/completions', { messages, cache: true, ...more });
}

describe('the response cache', () => {
  const api = setUpApi(environment);
  const user = setUpUser(api, 'test');

  it('returns the answer to an equal request again, at no cost', async () => {
    const asked = question();
    const first = await complete(user, asked);
    const second = await complete(user, asked);
    expect(first.headers.get('x-cache')).toBe('MISS');
    expect(second.headers.get('x-cache')).toBe('HIT');
    expect(second.body).toEqual(first.body);
    expect(chats()).toHaveLength(1);
    let rows: unknown[] = [];
    while (rows.length < 2) {
      rows = await query(
        api.database,
        `SELECT outcome, input_tokens, output_tokens, cost_micro_usd::int
         FROM usage_records JOIN users ON users.id = user_id WHERE email = $1 ORDER BY outcome DESC`,
        [user.email],
      );
    }
    expect(rows).toEqual([
      expect.objectContaining({ outcome: 'completed' }),
      { outcome: 'cached', input_tokens: 0, output_tokens: 0, cost_micro_usd: 0 },
    ]);
    expect(Number(at(rows, 0, 'cost_micro_usd'))).toBeGreaterThan(0);
  });

  it('is used only if the request asks for it, and sets no X-Cache header otherwise', async () => {
    const asked = question();
    await complete(user, asked);
    const { headers } = await complete(user, asked, { cache: false });
    expect(headers.get('x-cache')).toBeNull();
    expect(chats()).toHaveLength(2);
    expect(chats()[0]?.body).not.toHaveProperty('cache');
  });

  it.each([
    ['another question', { messages: [{ role: 'user', content: 'else' }] }],
    ['a system prompt', { messages: [{ role: 'system', content: 'x' }] }],
    ['another temperature', { temperature: 0.1 }],
    ['another token limit', { max_tokens: 7 }],
    ['another model', { model: 'openai/other' }],
    ['an unknown field', { top_k: 3 }],
  ])('misses for %s', async (_what, more) => {
    const asked = question();
    await complete(user, asked);
    expect((await complete(user, asked, more)).headers.get('x-cache')).toBe('MISS');
    expect(chats()).toHaveLength(2);
  });

  it('ignores the order of fields', async () => {
    const asked = question();
    await complete(user, asked, { temperature: 0.5, seed: 1 });
    const messages = [{ content: asked, role: 'user' }];
    const body = { seed: 1, cache: true, messages, temperature: 0.5 };
    const { headers } = await user.request('POST', '/v1/chat/completions', body);
    expect(headers.get('x-cache')).toBe('HIT');
  });

  it('is separate for each account', async () => {
    const asked = question();
    await complete(user, asked);
    const other = await registerUser(api.url);
    expect((await complete(other, asked)).headers.get('x-cache')).toBe('MISS');
    expect(chats()).toHaveLength(2);
  });

  it('replays a stream to the official client, with tool calls and usage', async () => {
    const asked = question();
    provider.script({
      kind: 'answer',
      text: ['Let me ', 'look.'],
      reasoning: 'hm',
      toolCalls: [
        { name: 'clock', arguments: ['{"zone"', ':"UTC"}'] },
        { name: 'weather', arguments: '{}' },
      ],
    });
    const tools = ['clock', 'weather'].map((name) => ({ type: 'function' as const, function: { name } }));
    const stream = () =>
      clientOf(api, user).chat.completions.stream({
        model: 'openai/test-model',
        messages: [{ role: 'user', content: asked }],
        tools,
        stream_options: { include_usage: true },
        ...{ cache: true },
      });
    const first = await stream().finalChatCompletion();
    const again = stream();
    const second = await again.finalChatCompletion();
    expect(second).toEqual(first);
    expect(second.choices[0]?.message.tool_calls).toHaveLength(2);
    expect(second.usage?.total_tokens).toBeGreaterThan(0);
    const whole = await complete(user, asked, { model: 'openai/test-model', tools });
    expect(whole.headers.get('x-cache')).toBe('HIT');
    expect(at(whole.body, 'choices', 0, 'message')).toMatchObject({
      content: 'Let me look.',
      reasoning_content: 'hm',
    });
    expect(chats()).toHaveLength(1);
  });

  it('serves /v1/completions too', async () => {
    const body = { prompt: question(), cache: true };
    const first = await user.request('POST', '/v1/completions', body);
    const second = await user.request('POST', '/v1/completions', body);
    expect([first, second].map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT']);
    expect(at(second.body, 'choices')).toEqual(at(first.body, 'choices'));
    expect(at(second.body, 'usage')).toEqual(at(first.body, 'usage'));
  });

  it('serves Anthropic clients too, and sends no Parley field to the provider', async () => {
    const messages = [{ role: 'user', content: question() }];
    const body = { model: 'openai/test-model', max_tokens: 10, messages, cache: true };
    const first = await user.request('POST', '/v1/messages', body);
    const second = await user.request('POST', '/v1/messages', body);
    expect([first, second].map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT']);
    expect(at(second.body, 'content')).toEqual(at(first.body, 'content'));
    expect(at(second.body, 'usage')).toEqual(at(first.body, 'usage'));
    expect(chats()).toHaveLength(1);
    expect(chats()[0]?.body).not.toHaveProperty('cache');
    expect(first.headers.get('x-ignored-params')).toBeNull();
  });

  it('replays an answer in Anthropic’s format byte for byte, with signed thinking, per anthropic-beta header', async () => {
    provider.setDefault({
      kind: 'answer',
      text: 'I look.',
      reasoning: 'hm',
      toolCalls: [{ name: 'clock', arguments: '{}' }],
    });
    const messages = [{ role: 'user', content: question() }];
    const body = { model: 'anthropic/test-model', max_tokens: 10, messages, cache: true };
    const ask = (stream: boolean, beta = 'one') =>
      fetch(`${api.url}/v1/messages`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${user.token}`,
          'anthropic-beta': beta,
        },
        body: JSON.stringify({ ...body, stream }),
      });
    for (const stream of [false, true]) {
      const [first, second] = [await ask(stream), await ask(stream)];
      expect([first, second].map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT']);
      const text = await first.text();
      expect(text).toContain('"signature"');
      expect(await second.text()).toBe(text);
    }
    expect(chats()).toHaveLength(2);
    expect((await ask(false, 'two')).headers.get('x-cache')).toBe('MISS');
  });

  it('is cleared when a conversation is deleted', async () => {
    const body = { message: question(), cache: true };
    const first = await user.request('POST', '/api/v1/chat', body);
    await user.request('DELETE', `/api/v1/conversations/${String(at(first.body, 'conversation_id'))}`);
    expect(at((await user.request('POST', '/api/v1/chat', body)).body, 'cached')).toBe(false);
  });

  it('does not store the answer of a fallback model', async () => {
    const asked = question();
    provider.script({ kind: 'error', status: 401, message: 'no' });
    const first = await complete(user, asked, { model: 'chain' });
    expect(at(first.body, 'model')).toBe('anthropic/test-model');
    const second = await complete(user, asked, { model: 'chain' });
    expect(second.headers.get('x-cache')).toBe('MISS');
    expect(at(second.body, 'model')).toBe('openai/test-model');
  });

  it('does not wait forever for an equal request whose client stopped reading', async () => {
    const asked = question();
    const gate = gatedAnswer(['one ', 'two']);
    provider.script(gate);
    const messages = [{ role: 'user', content: asked }];
    const slow = user.stream('/v1/chat/completions', { messages, cache: true, stream: true });
    gate.release();
    await slow.next();
    const { headers, status } = await complete(user, asked);
    expect(status).toBe(200);
    expect(headers.get('x-cache')).toBe('MISS');
    gate.finish();
    await slow.return(undefined);
  });

  it('serves turns: the message is stored, marked as cached, and free', async () => {
    const body = { message: question(), cache: true };
    const first = await user.request('POST', '/api/v1/chat', body);
    const events = await collect(user.stream('/api/v1/chat/stream', body));
    expect(at(first.body, 'cached')).toBe(false);
    expect(Number(at(first.body, 'cost_estimate'))).toBeGreaterThan(0);
    expect(textOf(events)).toBe(at(first.body, 'message'));
    expect(events.at(-2)).toMatchObject({
      finished: true,
      cached: true,
      cost_estimate: 0,
      usage: at(first.body, 'usage'),
    });
    expect(chats()).toHaveLength(1);
    const conversation = String(at(events[0], 'conversation_id'));
    const path = `/api/v1/conversations/${conversation}`;
    expect((await user.request('GET', path)).body).toMatchObject({ tokens_used: 0, cost_estimate: 0 });
    const messages = await user.request('GET', `${path}/messages`);
    expect(listAt(messages.body, 'data')).toHaveLength(2);
    expect(at(messages.body, 'data', 1)).toMatchObject({
      content: at(first.body, 'message'),
      status: 'complete',
    });
  });

  it('sends one provider request for equal concurrent requests', async () => {
    const asked = question();
    const gate = gatedAnswer(['one ', 'two']);
    provider.script(gate);
    const running = Array.from({ length: 10 }, () => complete(user, asked));
    await provider.nextRequest('chat');
    gate.finish();
    const answers = await Promise.all(running);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const cacheHeaders = answers.map(({ headers }) => headers.get('x-cache')).toSorted();
    expect(cacheHeaders).toEqual([...Array.from({ length: 9 }, () => 'HIT'), 'MISS']);
    expect(chats()).toHaveLength(1);
  });

  it('lets a waiting request take over if the first client disconnects', async () => {
    const asked = question();
    const gate = gatedAnswer(['never ', 'read']);
    provider.script(gate);
    const left = new AbortController();
    const first = send(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}` },
      body: { messages: [{ role: 'user', content: asked }], cache: true },
      signal: left.signal,
    });
    await provider.nextRequest('chat');
    const second = complete(user, asked);
    left.abort();
    await expect(first).rejects.toThrow();
    const { status, headers } = await second;
    expect(status).toBe(200);
    expect(headers.get('x-cache')).toBe('MISS');
    expect(chats()).toHaveLength(2);
    gate.finish();
  });

  it('lets all waiting requests proceed concurrently if the first one fails', async () => {
    const asked = question();
    const first = gatedAnswer(['never'], { holdHeaders: true });
    const others = gatedAnswer(['four']);
    provider.script(first);
    provider.setDefault(others);
    const running = Array.from({ length: 5 }, () => complete(user, asked));
    await provider.nextRequest('chat');
    first.reset();
    // If they ran one after the other, they would never all arrive.
    while (chats().length < 5) await provider.nextRequest('chat');
    others.finish();
    const statuses = (await Promise.all(running)).map(({ status }) => status).toSorted();
    expect(statuses).toEqual([200, 200, 200, 200, 502]);
  });

  it('stores no failure, refusal or possibly incomplete answer', async () => {
    const asked = question();
    provider.script(
      { kind: 'error', status: 400, message: 'no' },
      { kind: 'answer', text: 'I must not.', finishReason: 'content_filter' },
    );
    expect((await complete(user, asked)).status).toBe(400);
    expect((await complete(user, asked)).status).toBe(200);
    expect((await complete(user, asked)).headers.get('x-cache')).toBe('MISS');
    const streamed = question();
    provider.script({ kind: 'malformedChunk', at: 1, text: ['a', 'b', 'c'] });
    await collect(user.stream('/api/v1/chat/stream', { message: streamed, cache: true }));
    const again = await user.request('POST', '/api/v1/chat', { message: streamed, cache: true });
    expect(at(again.body, 'cached')).toBe(false);
  });
});

describe('a cached answer', () => {
  it('is generated again once it has expired', async () => {
    const api = await startApi({ ...environment(), CACHE_TTL_S: '1' });
    try {
      const user = await registerUser(api.url);
      const asked = question();
      await complete(user, asked);
      // Repeats the request until it is a miss, which happens only after a second.
      let cacheHeader: string | null = 'HIT';
      while (cacheHeader === 'HIT') cacheHeader = (await complete(user, asked)).headers.get('x-cache');
      expect(cacheHeader).toBe('MISS');
      expect(chats()).toHaveLength(2);
    } finally {
      await api.close();
    }
  });
});
