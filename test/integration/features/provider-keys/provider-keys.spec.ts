// Real components: the API on a socket, PostgreSQL, and the providers' protocols through the official SDKs.
// Keys, quotas and a changed ENCRYPTION_KEY are tested over one database, by servers with almost the same
// settings.
import { describe, expect, it } from '@jest/globals';
import { type Settings, startApi, type TestApi } from '../../../support/api.js';
import { at, registerUser, type TestUser, userWith } from '../../../support/client.js';
import { setUpApi, setUpProvider } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const PATH = '/api/v1/provider-keys';
const FIRST = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const SECOND = 'uRi7oKq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9';
const OWN = 'sk-own-0123456789abcdef-WXYZ';
const SERVER = 'sk-server-key';

const provider = setUpProvider();
const api = setUpApi(settings);

function settings(): Settings {
  return {
    ENCRYPTION_KEY: FIRST,
    JWT_SECRET: FIRST,
    OPENAI_BASE_URL: provider.baseUrl,
    OPENAI_API_KEY: SERVER,
    ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
    ANTHROPIC_API_KEY: SERVER,
    OLLAMA_BASE_URL: provider.origin,
    DEFAULT_MODEL: 'openai/test-model',
  };
}

const ask = (user: TestUser, model: string): Promise<unknown> =>
  user.request('POST', '/api/v1/chat', { message: 'Hi', model });

/** Returns the credential of the last request to the provider. */
function credential(): string | undefined {
  const { headers } = provider.requests.at(-1) ?? {};
  const key = headers?.['x-api-key'];
  return typeof key === 'string' ? key : headers?.authorization;
}

describe('a user’s own provider key', () => {
  it('is stored, shown by its last characters, replaced and deleted, and never returned', async () => {
    const user = await registerUser(api.url);
    const answers = [
      await user.request('PUT', `${PATH}/openai`, { key: 'sk-another-key-0123456789' }),
      await user.request('PUT', `${PATH}/openai`, { key: OWN }),
      await user.request('GET', `${PATH}/openai`),
      await user.request('GET', PATH),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const shown = {
      provider: 'openai',
      hint: 'WXYZ',
      created_at: expect.any(String),
      updated_at: expect.any(String),
    };
    expect(answers[2]?.body).toEqual(shown);
    expect(answers[3]?.body).toEqual({ object: 'list', data: [shown] });
    expect(JSON.stringify(answers.map(({ body }) => body))).not.toContain('sk-');
    const rows = await query(api.database, `SELECT encode(ciphertext, 'escape') AS bytes FROM provider_keys`);
    expect(JSON.stringify(rows)).not.toContain('sk-');
    expect(api.log.join('')).not.toContain(OWN);
    expect((await user.request('DELETE', `${PATH}/openai`)).status).toBe(204);
    expect((await user.request('DELETE', `${PATH}/openai`)).status).toBe(404);
    expect((await user.request('GET', `${PATH}/openai`)).status).toBe(404);
  });

  it.each([
    ['openai', `Bearer ${OWN}`, `Bearer ${SERVER}`],
    ['anthropic', OWN, SERVER],
    ['ollama', `Bearer ${OWN}`, undefined],
  ])('for %s is used for its user only, until it is deleted', async (id, own, servers) => {
    const [user, other] = [await registerUser(api.url), await registerUser(api.url)];
    const model = `${id}/test-model`;
    await ask(user, model);
    expect(credential()).toBe(servers);
    expect((await user.request('PUT', `${PATH}/${id}`, { key: OWN })).status).toBe(200);
    await ask(user, model);
    expect(credential()).toBe(own);
    const body = { model, messages: [{ role: 'user', content: 'Hi' }] };
    await user.request('POST', '/v1/chat/completions', body);
    expect(credential()).toBe(own);
    await ask(other, model);
    expect(credential()).toBe(servers);
    await user.request('DELETE', `${PATH}/${id}`);
    await ask(user, model);
    expect(credential()).toBe(servers);
  });

  const SAID = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 9 };

  it.each<[method: string, path: string, provider: string, body: object | undefined, own: string]>([
    ['POST', '/v1/messages', 'anthropic', SAID, OWN],
    ['POST', '/v1/messages', 'anthropic', { ...SAID, stream: true }, OWN],
    ['POST', '/v1/messages/count_tokens', 'anthropic', { messages: SAID.messages }, OWN],
    ['POST', '/ollama/api/chat', 'ollama', { ...SAID, stream: false }, `Bearer ${OWN}`],
    ['POST', '/ollama/api/generate', 'ollama', { prompt: 'Hi' }, `Bearer ${OWN}`],
    ['GET', '/ollama/api/tags', 'ollama', undefined, `Bearer ${OWN}`],
  ])('is sent with relayed requests: %s %s to %s, %j', async (method, path, id, body, own) => {
    const user = await registerUser(api.url);
    await user.request('PUT', `${PATH}/${id}`, { key: OWN });
    const answer = await user.request(method, path, body && { ...body, model: `${id}/test-model` });
    expect(answer.status).toBe(200);
    expect(credential()).toBe(own);
  });

  it('is sent with every retry', async () => {
    const user = await registerUser(api.url);
    await user.request('PUT', `${PATH}/openai`, { key: OWN });
    const busy = { kind: 'error', status: 429, retryAfter: 0, message: 'busy' } as const;
    provider.script(busy, { kind: 'answer' });
    await ask(user, 'openai/test-model');
    const tries = provider.requests.filter(({ route }) => route === 'chat');
    expect(tries.map(({ headers }) => headers.authorization)).toEqual(Array(2).fill(`Bearer ${OWN}`));
  });

  it('is used for embeddings too, and the ledger marks its use', async () => {
    const user = await registerUser(api.url);
    const embed = (): Promise<unknown> =>
      user.request('POST', '/v1/embeddings', { model: 'openai/test-model', input: 'Hi' });
    await embed();
    expect(credential()).toBe(`Bearer ${SERVER}`);
    await user.request('PUT', `${PATH}/openai`, { key: OWN });
    await embed();
    expect(credential()).toBe(`Bearer ${OWN}`);
    await ask(user, 'openai/test-model');
    const rows = await until('the ledger', async () => {
      const found = await query(
        api.database,
        `SELECT own_key FROM usage_records u JOIN users ON users.id = u.user_id WHERE email = $1 ORDER BY u.id`,
        [user.email],
      );
      return found.length === 3 && found;
    });
    expect(rows.map((row) => row['own_key']).toSorted()).toEqual([false, true, true]);
  });

  it('cannot be read or deleted by another account', async () => {
    const [user, other] = [await registerUser(api.url), await registerUser(api.url)];
    await user.request('PUT', `${PATH}/openai`, { key: OWN });
    expect((await other.request('GET', `${PATH}/openai`)).status).toBe(404);
    expect((await other.request('DELETE', `${PATH}/openai`)).status).toBe(404);
    expect((await other.request('GET', PATH)).body).toEqual({ object: 'list', data: [] });
    expect((await user.request('GET', `${PATH}/openai`)).status).toBe(200);
  });

  it.each([
    ['demo', { key: OWN }, 404],
    ['nowhere', { key: OWN }, 404],
    ['openai', { key: '' }, 400],
    ['openai', { key: 'two words' }, 400],
    ['openai', { key: 'line\r\nbreak' }, 400],
    ['openai', { key: 'ключ' }, 400],
    ['openai', { key: 'x'.repeat(1001) }, 400],
    ['openai', {}, 400],
    ['openai', { key: OWN, user_id: 'x' }, 400],
  ])('for %s is not stored with %j', async (id, body, status) => {
    const user = await registerUser(api.url);
    expect((await user.request('PUT', `${PATH}/${id}`, body)).status).toBe(status);
  });
});

describe('a quota', () => {
  /**
   * Token quota: more than a call with `SHORT` may use, less than one with `LONG`, and used up by the usage
   * `AFTERWARDS`.
   */
  const QUOTA = 1000;
  const SHORT = 600;
  const LONG = 5000;
  const AFTERWARDS = { prompt_tokens: 900, completion_tokens: 100 };

  /**
   * Returns the status and error code of a chat; with `takesAll`, the model reports the whole quota as used.
   */
  async function chat(
    user: TestUser,
    model: string,
    max_tokens: number,
    takesAll = false,
  ): Promise<unknown[]> {
    if (takesAll) provider.script({ kind: 'answer', usage: AFTERWARDS });
    const messages = [{ role: 'user', content: 'Hi' }];
    const { status, body } = await user.request('POST', '/v1/chat/completions', {
      model,
      messages,
      max_tokens,
    });
    return status === 200 ? [status] : [status, at(body, 'error', 'code')];
  }

  /** Starts a process over the same ledger that has not cached any sum yet. */
  async function startWith(quota: Readonly<Record<string, string>>): Promise<TestApi> {
    return startApi({ ...settings(), ...quota }, api.database);
  }

  const rowsOf = (user: TestUser, count: number) =>
    until('the ledger', async () => {
      const sql = `SELECT own_key FROM usage_records u JOIN users ON users.id = u.user_id WHERE email = $1`;
      const rows = await query(api.database, sql, [user.email]);
      return rows.length === count && rows;
    });

  it('of tokens is neither checked nor used by calls with a user’s own key', async () => {
    const quota = {
      QUOTA_TOKENS_DAY: String(QUOTA),
      MODEL_ALIASES: '{"both":["openai/test-model","ollama/test-model"]}',
    };
    const limited = await startWith(quota);
    try {
      const user = await registerUser(limited.url);
      await user.request('PUT', `${PATH}/openai`, { key: OWN });
      expect(await chat(user, 'openai/test-model', LONG, true)).toEqual([200]);
      // The server's key may be used, so the quota is checked; the user's own key is used in fact, so the
      // quota is not reduced.
      expect(await chat(user, 'both', LONG)).toEqual([429, 'quota_exceeded']);
      expect(await chat(user, 'both', SHORT, true)).toEqual([200]);
      expect(await chat(user, 'both', SHORT, true)).toEqual([200]);
      await rowsOf(user, 3);
      const fresh = await startWith(quota);
      try {
        expect(await chat(userWith(fresh.url, user.token), 'ollama/test-model', SHORT)).toEqual([200]);
      } finally {
        await fresh.close();
      }
      expect(await chat(user, 'ollama/test-model', SHORT, true)).toEqual([200]);
      expect(await chat(user, 'ollama/test-model', SHORT)).toEqual([429, 'quota_exceeded']);
      expect(await chat(user, 'openai/test-model', LONG)).toEqual([200]);
      await user.request('DELETE', `${PATH}/openai`);
      expect(await chat(user, 'openai/test-model', SHORT)).toEqual([429, 'quota_exceeded']);
    } finally {
      await limited.close();
    }
  });

  it('of dollars is neither checked nor used by calls with a user’s own key', async () => {
    // A tenth of a cent per token, so that the number of tokens left equals that of the test above.
    const limited = await startWith({
      QUOTA_COST_MONTH_USD: '1',
      MODEL_PRICES: JSON.stringify({
        'openai/test-model': { input: 1000, output: 1000 },
        'ollama/test-model': { input: 1000, output: 1000 },
      }),
    });
    try {
      const user = await registerUser(limited.url);
      await user.request('PUT', `${PATH}/openai`, { key: OWN });
      expect(await chat(user, 'openai/test-model', LONG, true)).toEqual([200]);
      expect(await chat(user, 'openai/without-price', SHORT)).toEqual([200]);
      await rowsOf(user, 2);
      expect(await chat(user, 'ollama/without-price', SHORT)).toEqual([400, 'price_unknown']);
      expect(await chat(user, 'ollama/test-model', SHORT, true)).toEqual([200]);
      expect(await chat(user, 'ollama/test-model', SHORT)).toEqual([429, 'quota_exceeded']);
      expect(await chat(user, 'openai/test-model', LONG)).toEqual([200]);
    } finally {
      await limited.close();
    }
  });
});

describe('a changed ENCRYPTION_KEY', () => {
  it('decrypts with the previous key and re-encrypts, so that the previous key can be removed', async () => {
    const user = await registerUser(api.url);
    await user.request('PUT', `${PATH}/openai`, { key: OWN });
    const stored = async (): Promise<unknown> =>
      (
        await query(
          api.database,
          `SELECT encode(ciphertext, 'hex') AS hex FROM provider_keys p JOIN users u ON u.id = p.user_id WHERE email = $1`,
          [user.email],
        )
      )[0]?.['hex'];
    const before = await stored();

    const rotated = await startApi(
      { ...settings(), ENCRYPTION_KEY: SECOND, ENCRYPTION_KEY_PREVIOUS: FIRST },
      api.database,
    );
    try {
      await ask(userWith(rotated.url, user.token), 'openai/test-model');
      expect(credential()).toBe(`Bearer ${OWN}`);
      await until('the new encryption', async () => (await stored()) !== before);
    } finally {
      await rotated.close();
    }

    const after = await startApi({ ...settings(), ENCRYPTION_KEY: SECOND }, api.database);
    try {
      await ask(userWith(after.url, user.token), 'openai/test-model');
      expect(credential()).toBe(`Bearer ${OWN}`);
    } finally {
      await after.close();
    }
  });

  it('without the previous one causes a 503 instead of using the server’s provider key', async () => {
    const user = await registerUser(api.url);
    await user.request('PUT', `${PATH}/openai`, { key: OWN });
    const replaced = await startApi({ ...settings(), ENCRYPTION_KEY: SECOND }, api.database);
    try {
      const account = userWith(replaced.url, user.token);
      const before = provider.requests.length;
      const answer = await account.request('POST', '/api/v1/chat', { message: 'Hi' });
      expect(answer.status).toBe(503);
      expect(at(answer.body, 'error', 'message')).toContain('PUT /api/v1/provider-keys/openai');
      expect(provider.requests.filter(({ route }) => route === 'chat').length).toBe(before);
      expect((await account.request('DELETE', `${PATH}/openai`)).status).toBe(204);
      expect((await account.request('POST', '/api/v1/chat', { message: 'Hi' })).status).toBe(200);
    } finally {
      await replaced.close();
    }
  });
});
