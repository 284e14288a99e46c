import { describe, expect, it } from '@jest/globals';
import { makeKey } from '../../../support/accounts.js';
import { at, listAt, registerUser, type TestUser } from '../../../support/client.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';

/** Dollars per million tokens. */
const PRICES = {
  'openai/priced': { input: 1, output: 2, cached: 0.5 },
  'anthropic/priced': { input: 10, output: 20, cached: 1, cache_write: 12.5 },
};

const models = ['priced', 'unpriced'];
const openai = setUpProvider({ models });
const anthropic = setUpProvider({ models });
const api = setUpApi(() => ({
  OPENAI_BASE_URL: openai.baseUrl,
  ANTHROPIC_BASE_URL: anthropic.origin,
  MODEL_PRICES: JSON.stringify(PRICES),
  LLM_MAX_RETRIES: '0',
  MODEL_ALIASES: JSON.stringify({ chain: ['openai/priced', 'anthropic/priced'] }),
}));

const USAGE = {
  prompt_tokens: 100,
  completion_tokens: 50,
  prompt_tokens_details: { cached_tokens: 40 },
} as const;

function chat(user: TestUser, model: string, conversation_id?: unknown) {
  return user.request('POST', '/api/v1/chat', { message: 'Hello', model, conversation_id });
}

async function report(user: TestUser, days = ''): Promise<unknown> {
  const { status, body } = await user.request('GET', `/api/v1/usage${days}`);
  expect(status).toBe(200);
  return body;
}

describe('the cost of a turn', () => {
  it('is the price of each kind of token, in the response, the message and the conversation', async () => {
    const user = await registerUser(api.url);
    openai.script({ kind: 'answer', usage: USAGE });
    const { body } = await chat(user, 'openai/priced');
    // 60 × 1 + 40 × 0.5 + 50 × 2
    expect(at(body, 'cost_estimate')).toBe(0.00018);
    const id = String(at(body, 'conversation_id'));
    const messages = await user.request('GET', `/api/v1/conversations/${id}/messages`);
    expect(at(messages.body, 'data', 1, 'cost_estimate')).toBe(0.00018);
    const conversation = await user.request('GET', `/api/v1/conversations/${id}`);
    expect(conversation.body).toMatchObject({
      cost_estimate: 0.00018,
      unpriced_attempts: 0,
      tokens_used: 150,
    });
  });

  it('is null and never 0 if the price is unknown, and the conversation counts the unpriced attempts', async () => {
    const user = await registerUser(api.url);
    const { body } = await chat(user, 'openai/unpriced');
    expect(at(body, 'cost_estimate')).toBeNull();
    const id = String(at(body, 'conversation_id'));
    const path = `/api/v1/conversations/${id}`;
    expect((await user.request('GET', path)).body).toMatchObject({
      cost_estimate: null,
      unpriced_attempts: 1,
    });
    openai.script({ kind: 'answer', usage: USAGE });
    await chat(user, 'openai/priced', id);
    expect((await user.request('GET', path)).body).toMatchObject({
      cost_estimate: 0.00018,
      unpriced_attempts: 1,
    });
  });

  it('is that of the model that answered, after a failed attempt without usage', async () => {
    const user = await registerUser(api.url);
    openai.script({ kind: 'error', status: 401, message: 'wrong key' });
    anthropic.script({ kind: 'answer', usage: { prompt_tokens: 100, completion_tokens: 50 } });
    const { body } = await chat(user, 'chain');
    expect(body).toMatchObject({ model: 'anthropic/priced', cost_estimate: 0.002 });
    expect(listAt(await report(user), 'data')).toEqual([
      expect.objectContaining({ model: 'anthropic/priced', attempts: 1, cost_estimate: 0.002 }),
      expect.objectContaining({ model: 'openai/priced', attempts: 1, total_tokens: 0, cost_estimate: 0 }),
    ]);
  });
});

describe('GET /api/v1/usage', () => {
  it('returns tokens and cost by day and model for the caller only, newest day first', async () => {
    const user = await registerUser(api.url);
    const other = await registerUser(api.url);
    openai.script({ kind: 'answer', usage: USAGE }, { kind: 'answer', usage: USAGE });
    await chat(user, 'openai/priced');
    await chat(user, 'openai/priced');
    await chat(user, 'openai/unpriced');
    await chat(other, 'openai/priced');
    const today = new Date().toISOString().slice(0, 10);
    await query(
      api.database,
      `UPDATE usage_records SET created_at = created_at - interval '3 days'
       WHERE model = 'unpriced' AND user_id = (SELECT id FROM users WHERE email = $1)`,
      [user.email],
    );
    const body = await report(user);
    const earlier = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10);
    expect(listAt(body, 'data')).toEqual([
      {
        date: today,
        model: 'openai/priced',
        requests: 2,
        attempts: 2,
        prompt_tokens: 200,
        completion_tokens: 100,
        total_tokens: 300,
        cached_tokens: 80,
        cache_write_tokens: 0,
        reasoning_tokens: 0,
        cost_estimate: 0.00036,
        unpriced_attempts: 0,
        estimated_attempts: 0,
      },
      expect.objectContaining({
        date: earlier,
        model: 'openai/unpriced',
        cost_estimate: null,
        unpriced_attempts: 1,
      }),
    ]);
    expect(at(body, 'total')).toMatchObject({ requests: 3, cost_estimate: 0.00036, unpriced_attempts: 1 });
  });

  it('includes calls of the compatible APIs, with estimates if the provider reports no usage', async () => {
    const user = await registerUser(api.url);
    openai.script({ kind: 'answer', usage: 'none', text: 'one two' });
    const answer = await user.request('POST', '/v1/chat/completions', {
      model: 'openai/priced',
      messages: [{ role: 'user', content: 'Hello' }],
    });
    expect(answer.status).toBe(200);
    // The ledger is written within 250 ms; the report is requested until the record is there.
    let data: unknown[] = [];
    while (data.length === 0) data = listAt(await report(user), 'data');
    expect(data).toEqual([
      expect.objectContaining({ model: 'openai/priced', requests: 1, estimated_attempts: 1 }),
    ]);
    expect(Number(at(data, 0, 'completion_tokens'))).toBeGreaterThan(0);
    expect(Number(at(data, 0, 'cost_estimate'))).toBeGreaterThan(0);
  });

  it('can be grouped by key', async () => {
    const user = await registerUser(api.url);
    const one = await makeKey(api, user);
    const other = await makeKey(api, user);
    for (const asking of [user, one.program, one.program, other.program]) await chat(asking, 'openai/priced');
    const rows = listAt(await report(user, '?by=day,model,key'), 'data');
    const counted = rows.map((row) => [at(row, 'api_key_id'), at(row, 'requests')]);
    expect(new Set(counted)).toEqual(
      new Set([
        [one.id, 2],
        [other.id, 1],
        [null, 1],
      ]),
    );
    const together = listAt(await report(one.program, '?by=day,model'), 'data');
    expect(together).toEqual([expect.objectContaining({ requests: 4 })]);
    expect(together[0]).not.toHaveProperty('api_key_id');
  });

  it('includes the input tokens if the client disconnects before the answer', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['one ', 'two'], { usage: { prompt_tokens: 1000, completion_tokens: 2 } });
    const tools = [
      { type: 'function', function: { name: 'clock', description: 'tells the time '.repeat(500) } },
    ];
    const messages = [{ role: 'user', content: 'Hello' }];
    for (const [provider, model, stream] of [
      [openai, 'openai/priced', false],
      [anthropic, 'anthropic/priced', true],
    ] as const) {
      provider.script(gate);
      const left = new AbortController();
      const asking = fetch(`${api.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${user.token}` },
        body: JSON.stringify({ model, messages, tools, stream }),
        signal: left.signal,
      }).then((response) => response.text());
      const request = await provider.nextRequest('chat');
      if (stream) gate.release();
      if (stream) await request.firstByteSent;
      left.abort();
      await expect(asking).rejects.toThrow();
      await request.closed;
    }
    let data: unknown[] = [];
    while (data.length < 2) data = listAt(await report(user), 'data');
    const priced = data.find((row) => at(row, 'model') === 'anthropic/priced');
    const counted = data.find((row) => at(row, 'model') === 'openai/priced');
    // Anthropic's protocol reports the input tokens at the start.
    expect(priced).toMatchObject({ prompt_tokens: 1000, estimated_attempts: 1 });
    expect(Number(at(counted, 'prompt_tokens'))).toBeGreaterThan(1000);
    expect(Number(at(counted, 'cost_estimate'))).toBeGreaterThan(0);
  });

  it('returns only the requested days, including both ends', async () => {
    const user = await registerUser(api.url);
    await chat(user, 'openai/priced');
    await query(
      api.database,
      `UPDATE usage_records SET created_at = '2026-03-05T23:59:59.999Z' WHERE user_id = (SELECT id FROM users WHERE email = $1)`,
      [user.email],
    );
    expect(listAt(await report(user, '?from=2026-03-05&to=2026-03-05'), 'data')).toHaveLength(1);
    expect(listAt(await report(user, '?from=2026-03-06&to=2026-03-07'), 'data')).toHaveLength(0);
    expect(listAt(await report(user, '?from=2026-03-01&to=2026-03-04'), 'data')).toHaveLength(0);
    expect(await report(user, '?to=2026-03-31')).toMatchObject({ from: '2026-03-02', to: '2026-03-31' });
  });

  it.each([
    ['?from=yesterday', 'from'],
    ['?from=2026-02-30', 'from'],
    ['?to=0000-01-01', 'to'],
    ['?from=2026-03-02&to=2026-03-01', 'from'],
    ['?from=2024-01-01&to=2026-01-01', 'from'],
    ['?day=2026-01-01', 'day'],
    ['?by=key', 'by'],
  ])('refuses %s, naming the parameter', async (days, param) => {
    const user = await registerUser(api.url);
    const { status, body } = await user.request('GET', `/api/v1/usage${days}`);
    expect(status).toBe(400);
    expect(at(body, 'error')).toMatchObject({ code: 'invalid_request', param });
  });
});
