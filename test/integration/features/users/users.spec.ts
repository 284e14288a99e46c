// Real components: the API on a socket, PostgreSQL, and the protocol of a provider that waits for the test.
// Accounts that manage themselves and admins that manage them are two sides of the same rules, mostly tested
// on one server.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { AccessWatch } from '../../../../src/features/auth/access-watch.js';
import { idOf, makeKey, registerAdmin } from '../../../support/accounts.js';
import { startApi, type TestApi } from '../../../support/api.js';
import {
  type ApiResponse,
  at,
  collect,
  listAt,
  registerUser,
  send,
  type TestUser,
} from '../../../support/client.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { setUpAdmin, setUpApi, setUpProvider } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const ME = '/api/v1/users/me';
const PASSWORD = 'a long password';
const NOBODY = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  OLLAMA_BASE_URL: provider.origin,
  DEFAULT_MODEL: 'openai/test-model',
}));
const admin = setUpAdmin(api);

const codeOf = ({ body }: ApiResponse): unknown => at(body, 'error', 'code');
const login = (email: string): Promise<ApiResponse> =>
  send(`${api.url}/api/v1/auth/login`, { method: 'POST', body: { email, password: PASSWORD } });

describe('/api/v1/users/me', () => {
  it('changes the email address if the password is correct, and the new address can log in', async () => {
    const user = await registerUser(api.url);
    const email = `New-${user.email}`;
    const wrong = await user.request('PATCH', ME, { email, current_password: 'not the password' });
    expect(codeOf(wrong)).toBe('invalid_credentials');
    const answer = await user.request('PATCH', ME, { email, current_password: PASSWORD });
    expect(answer.status).toBe(200);
    expect(at(answer.body, 'email')).toBe(email.toLowerCase());
    expect((await login(user.email)).status).toBe(401);
    expect((await login(email)).status).toBe(200);
  });

  it('limits password guesses with a stolen token', async () => {
    const user = await registerUser(api.url);
    const guess = (): Promise<ApiResponse> =>
      user.request('PATCH', ME, { email: `x-${user.email}`, current_password: 'a guess' });
    const answers = await Promise.all(Array.from({ length: 15 }, guess));
    expect(answers.map(codeOf).toSorted()).toEqual([
      ...Array<string>(10).fill('invalid_credentials'),
      ...Array<string>(5).fill('rate_limit_exceeded'),
    ]);
    const password = { current_password: 'a guess', new_password: 'another password' };
    expect(codeOf(await user.request('POST', `${ME}/password`, password))).toBe('rate_limit_exceeded');
  });

  it('refuses the address of another account', async () => {
    const user = await registerUser(api.url);
    const answer = await user.request('PATCH', ME, { email: admin.email, current_password: PASSWORD });
    expect(answer.status).toBe(409);
    expect(codeOf(answer)).toBe('email_taken');
  });

  it.each(['role', 'disabled', 'quota_tokens_day', 'quota_cost_month_usd', 'id', 'passwordHash', 'user_id'])(
    'refuses the field %s, names it and changes nothing',
    async (field) => {
      const user = await registerUser(api.url);
      const body = { email: `x-${user.email}`, current_password: PASSWORD, [field]: 'admin' };
      const answer = await user.request('PATCH', ME, body);
      expect(answer.status).toBe(400);
      expect(at(answer.body, 'error', 'message')).toBe(`${field} is not a field of this request.`);
      expect(at(answer.body, 'error', 'param')).toBe(field);
      const after = await user.request('GET', ME);
      expect(at(after.body, 'role')).toBe('user');
      expect(at(after.body, 'email')).toBe(user.email);
    },
  );

  it.each(['role', 'scopes', 'quota_tokens_day'])('cannot be registered with its own %s', async (field) => {
    const answer = await send(`${api.url}/api/v1/auth/register`, {
      method: 'POST',
      body: { email: 'mass@example.com', password: PASSWORD, [field]: 'admin' },
    });
    expect(answer.status).toBe(400);
    expect(at(answer.body, 'error', 'param')).toBe(field);
  });

  it('deletes the account with everything that it owns during a running answer, and preserves the audit log', async () => {
    const user = await registerUser(api.url);
    const userId = await idOf(user);
    await makeKey(api, user);
    await user.request('POST', '/api/v1/chat', { message: 'first' });
    provider.script(gatedAnswer(['one ', 'two']));
    const asked = provider.nextRequest('chat');
    const events = collect(user.stream('/api/v1/chat/stream', { message: 'second' }));
    const upstream = await asked;
    expect((await user.request('DELETE', ME)).status).toBe(204);
    expect(await upstream.closed).toMatchObject({});
    expect(at((await events).at(-1), 'error', 'code')).toMatch(/unauthorized|service_unavailable/);
    for (const table of [
      'users',
      'conversations',
      'messages',
      'usage_records',
      'api_keys',
      'refresh_tokens',
    ]) {
      const column = table === 'users' ? 'id' : 'user_id';
      const rows = await query(api.database, `SELECT 1 FROM ${table} WHERE ${column} = $1`, [userId]);
      expect({ table, rows: rows.length }).toEqual({ table, rows: 0 });
    }
    expect((await user.request('GET', ME)).status).toBe(401);
    expect((await login(user.email)).status).toBe(401);
    const log = await admin.request('GET', `/api/v1/audit-log?user_id=${userId}`);
    expect(listAt(log.body, 'data').map((entry) => at(entry, 'action'))).toEqual(
      expect.arrayContaining(['user.deleted', 'user.registered', 'api_key.created']),
    );
    const failures = api.log.filter((line) => line.includes('"level":50'));
    expect(failures).toEqual([]);
  });
});

describe('the first account', () => {
  it('of a server becomes admin, only one if several arrive at once, and none in production', async () => {
    const fresh = await startApi();
    try {
      const users = await Promise.all(Array.from({ length: 5 }, () => registerUser(fresh.url)));
      const roles = await Promise.all(
        users.map(async (one) => at((await one.request('GET', ME)).body, 'role')),
      );
      expect(roles.toSorted()).toEqual(['admin', 'user', 'user', 'user', 'user']);
    } finally {
      await fresh.close();
    }
    const secret = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
    const production = await startApi({
      NODE_ENV: 'production',
      JWT_SECRET: secret,
      ENCRYPTION_KEY: secret,
      AUTH_REGISTRATION: 'open',
    });
    try {
      const user = await registerUser(production.url);
      expect(at((await user.request('GET', ME)).body, 'role')).toBe('user');
    } finally {
      await production.close();
    }
  });
});

describe('admins', () => {
  const ROUTES: [method: string, path: string, body: object | undefined][] = [
    ['GET', '/api/v1/users', undefined],
    ['GET', `/api/v1/users/${NOBODY}`, undefined],
    ['PATCH', `/api/v1/users/${NOBODY}`, { role: 'admin' }],
    ['DELETE', `/api/v1/users/${NOBODY}`, undefined],
    ['GET', '/api/v1/audit-log', undefined],
  ];

  it.each(ROUTES)('are the only ones who may request %s %s', async (method, path, body) => {
    const user = await registerUser(api.url);
    const answer = await user.request(method, path, body);
    expect(answer.status).toBe(403);
    expect(codeOf(answer)).toBe('forbidden');
    const { program } = await makeKey(api, user, { scopes: ['admin'] });
    expect(codeOf(await program.request(method, path, body))).toBe('forbidden');
    const allowed = await admin.request(method, path, body);
    expect(allowed.status).toBe(path.endsWith(NOBODY) ? 404 : 200);
  });

  it('list accounts in pages, newest first, and by address prefix', async () => {
    const users: TestUser[] = [];
    for (let round = 0; round < 3; round += 1) users.push(await registerUser(api.url));
    const pages: unknown[] = [];
    let after = '';
    for (let round = 0; round < 3; round += 1) {
      const { body } = await admin.request('GET', `/api/v1/users?limit=1${after}`);
      pages.push(at(body, 'data', 0, 'email'));
      expect(at(body, 'has_more')).toBe(true);
      after = `&after=${String(at(body, 'last_id'))}`;
    }
    expect(pages).toEqual(users.map(({ email }) => email).reverse());
    const [first] = users;
    const prefix = (first?.email ?? '').slice(0, 20).toUpperCase();
    const found = await admin.request('GET', `/api/v1/users?q=${encodeURIComponent(prefix)}`);
    expect(listAt(found.body, 'data').map((user) => at(user, 'email'))).toEqual([first?.email]);
    for (const wildcard of ['%', '_', 'user_']) {
      const none = await admin.request('GET', `/api/v1/users?q=${encodeURIComponent(wildcard)}`);
      expect(listAt(none.body, 'data')).toEqual([]);
    }
    expect(JSON.stringify(found.body)).not.toContain('argon2');
  });

  it('set the role and quotas of an account, and remove quotas with null', async () => {
    const user = await registerUser(api.url);
    const path = `/api/v1/users/${await idOf(user)}`;
    const set = await admin.request('PATCH', path, {
      role: 'admin',
      quota_tokens_day: 5_000_000_000,
      quota_cost_month_usd: 12.34,
    });
    expect(set.body).toMatchObject({
      role: 'admin',
      quota_tokens_day: 5_000_000_000,
      quota_cost_month_usd: 12.34,
    });
    // Immediately, although the account was authenticated as a user a moment ago.
    expect((await user.request('GET', '/api/v1/users')).status).toBe(200);
    const back = await admin.request('PATCH', path, { role: 'user', quota_tokens_day: null });
    expect(back.body).toMatchObject({ role: 'user', quota_tokens_day: null, quota_cost_month_usd: 12.34 });
    expect((await user.request('GET', '/api/v1/users')).status).toBe(403);
    for (const wrong of [
      { role: 'root' },
      { quota_tokens_day: -1 },
      { quota_cost_month_usd: 'x' },
      { email: 'a' },
    ])
      expect((await admin.request('PATCH', path, wrong)).status).toBe(400);
  });

  it('set a zero quota only with 0, and no quota below the smallest counted amount', async () => {
    const path = `/api/v1/users/${await idOf(await registerUser(api.url))}`;
    const set = (quota_cost_month_usd: number) => admin.request('PATCH', path, { quota_cost_month_usd });
    for (const amount of [0, 0.000001, 0.5]) {
      const { status, body } = await set(amount);
      expect([status, at(body, 'quota_cost_month_usd')]).toEqual([200, amount]);
    }
    for (const amount of [1e-7, 4.9e-7, 9.9e-7, Number.MIN_VALUE]) {
      const { status, body } = await set(amount);
      expect([status, at(body, 'error', 'param')]).toEqual([400, 'quota_cost_month_usd']);
    }
    expect(at((await admin.request('GET', path)).body, 'quota_cost_month_usd')).toBe(0.5);
  });

  it('disable an account, which locks it out immediately on every API until it is enabled', async () => {
    const user = await registerUser(api.url);
    const { program } = await makeKey(api, user);
    const path = `/api/v1/users/${await idOf(user)}`;
    expect((await program.request('GET', '/v1/models')).status).toBe(200);
    expect(at((await admin.request('PATCH', path, { disabled: true })).body, 'disabled')).toBe(true);
    for (const answer of [await user.request('GET', ME), await program.request('GET', '/v1/models')]) {
      expect(answer.status).toBe(401);
      expect(at(answer.body, 'error', 'message')).toBe(
        'The account is disabled. Contact an admin of this server.',
      );
    }
    expect(codeOf(await login(user.email))).toBe('account_disabled');
    expect((await admin.request('PATCH', path, { disabled: false })).status).toBe(200);
    // Its sessions have ended; its API keys still exist.
    expect((await user.request('GET', ME)).status).toBe(401);
    expect((await program.request('GET', '/v1/models')).status).toBe(200);
    expect((await login(user.email)).status).toBe(200);
  });

  const RUNNING: [what: string, path: string, body: object][] = [
    ['a turn', '/api/v1/chat/stream', { message: 'Hi' }],
    [
      'a stateless stream',
      '/v1/chat/completions',
      { model: 'openai/test-model', stream: true, messages: [{ role: 'user', content: 'Hi' }] },
    ],
  ];

  it.each([
    ['/v1/messages', 'event: error\ndata: ', ['error', 'type'], 'authentication_error'],
    [
      '/ollama/api/chat',
      '{"error":',
      ['error'],
      'The account was disabled or the API key revoked during the request.',
    ],
  ])(
    'disable an account: its stream on %s ends with an error in that API format',
    async (path, mark, keys, word) => {
      const user = await registerUser(api.url);
      const userId = await idOf(user);
      const gate = gatedAnswer(['one ', 'two']);
      provider.script(gate);
      const asked = provider.nextRequest('chat');
      const answer = fetch(`${api.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: path.startsWith('/ollama') ? 'ollama/test-model' : 'openai/test-model',
          stream: true,
          max_tokens: 9,
          messages: [{ role: 'user', content: 'Hi' }],
        }),
      });
      const upstream = await asked;
      gate.release();
      const { body } = await answer;
      await admin.request('PATCH', `/api/v1/users/${userId}`, { disabled: true });
      await upstream.closed;
      const text = await new Response(body).text();
      const event = text.slice(text.lastIndexOf(mark)).replace('event: error\ndata: ', '');
      expect(at(JSON.parse(event), ...keys)).toBe(word);
    },
  );

  it.each([
    ['/api/v1/chat', { model: 'openai/test-model', message: 'Hi' }],
    ['/v1/chat/completions', { model: 'openai/test-model', messages: [{ role: 'user', content: 'Hi' }] }],
    ['/v1/completions', { model: 'openai/test-model', prompt: 'Hi' }],
    [
      '/v1/messages',
      { model: 'openai/test-model', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 9 },
    ],
    [
      '/ollama/api/chat',
      { model: 'ollama/test-model', messages: [{ role: 'user', content: 'Hi' }], stream: false },
    ],
  ])('disable an account: its unfinished JSON response on %s becomes a 401', async (path, body) => {
    const user = await registerUser(api.url);
    const userId = await idOf(user);
    provider.script(gatedAnswer(['one ', 'two']));
    const asked = provider.nextRequest('chat');
    const answer = user.request('POST', path, body);
    const upstream = await asked;
    await admin.request('PATCH', `/api/v1/users/${userId}`, { disabled: true });
    await upstream.closed;
    const { status, body: event } = await answer;
    expect(status).toBe(401);
    expect(JSON.stringify(event)).toContain('was disabled');
  });

  it.each(RUNNING)('disable an account: %s of it is stopped', async (_what, path, body) => {
    const user = await registerUser(api.url);
    const bystander = await registerUser(api.url);
    const gates = [gatedAnswer(['one ', 'two']), gatedAnswer(['one ', 'two'])] as const;
    provider.script(...gates);
    const asked = provider.nextRequest('chat');
    const events = user.stream(path, body);
    const first = events.next();
    const upstream = await asked;
    gates[0].release();
    await first;
    const stopped = collect(events);
    const askedToo = provider.nextRequest('chat');
    const goesOn = collect(bystander.stream(path, body));
    await askedToo;
    const userId = await idOf(user);
    // By notification: the periodic check finds nothing.
    const check = jest.spyOn(AccessWatch.prototype, 'checkAccess').mockResolvedValue();
    await admin.request('PATCH', `/api/v1/users/${userId}`, { disabled: true });
    await upstream.closed;
    check.mockRestore();
    expect(at((await stopped).at(-1), 'error', 'code')).toBe('unauthorized');
    gates[1].finish();
    expect((await goesOn).at(-1)).toBe('[DONE]');
    await until('the end of the turn', async () => {
      const [row] = await query(api.database, `SELECT 1 FROM messages WHERE status = 'generating'`);
      return row === undefined;
    });
  });

  it('disable an account on another process that misses the notification: its answer is stopped by the periodic check', async () => {
    const other = await startApi(
      { OPENAI_BASE_URL: provider.baseUrl, DEFAULT_MODEL: 'openai/test-model' },
      api.database,
    );
    try {
      const user = await registerUser(other.url);
      const userId = await idOf(user);
      provider.script(gatedAnswer(['one ', 'two']));
      const asked = provider.nextRequest('chat');
      const stopped = collect(user.stream('/api/v1/chat/stream', { message: 'Hi' }));
      const upstream = await asked;
      expect((await admin.request('PATCH', `/api/v1/users/${userId}`, { disabled: true })).status).toBe(200);
      await upstream.closed;
      await stopped;
    } finally {
      await other.close();
    }
  });

  it('delete accounts', async () => {
    const user = await registerUser(api.url);
    const path = `/api/v1/users/${await idOf(user)}`;
    expect((await admin.request('DELETE', path)).status).toBe(204);
    expect((await admin.request('GET', path)).status).toBe(404);
    expect((await admin.request('DELETE', path)).status).toBe(404);
  });
});

describe('the last admin', () => {
  let own: TestApi;

  beforeAll(async () => {
    own = await startApi();
  });

  afterAll(async () => {
    await own.close();
  });

  const count = async (): Promise<number> => {
    const rows = await query(
      own.database,
      `SELECT 1 FROM users WHERE role = 'admin' AND disabled_at IS NULL`,
    );
    return rows.length;
  };

  it('cannot be demoted, disabled or deleted', async () => {
    const only = await registerUser(own.url);
    const path = `/api/v1/users/${await idOf(only)}`;
    for (const answer of [
      await only.request('PATCH', path, { role: 'user' }),
      await only.request('PATCH', path, { disabled: true }),
      await only.request('DELETE', path),
      await only.request('DELETE', ME),
    ]) {
      expect(answer.status).toBe(409);
      expect(codeOf(answer)).toBe('last_admin');
    }
    expect(await count()).toBe(1);
    expect((await only.request('PATCH', path, { role: 'admin', disabled: false })).status).toBe(200);
  });

  it('remains if two admins demote, disable or delete each other at once', async () => {
    await query(own.database, `UPDATE users SET role = 'user'`);
    const how: ((admin: TestUser, path: string) => Promise<ApiResponse>)[] = [
      (one, path) => one.request('PATCH', path, { role: 'user' }),
      (one, path) => one.request('PATCH', path, { disabled: true }),
      (one, path) => one.request('DELETE', path),
    ];
    for (let round = 0; round < 12; round += 1) {
      const [one, two] = [await registerAdmin(own), await registerAdmin(own)];
      const paths = [`/api/v1/users/${await idOf(one)}`, `/api/v1/users/${await idOf(two)}`] as const;
      const act = how[round % how.length];
      if (act === undefined) throw new Error('There is nothing to do.');
      await Promise.all([act(one, paths[1]), act(two, paths[0])]);
      expect(await count()).toBe(1);
      await query(own.database, `UPDATE users SET role = 'user'`);
    }
  });
});
