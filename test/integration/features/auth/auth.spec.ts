// A table of forged, expired and foreign tokens shares one server with the cases of accounts and logins.
import { setTimeout as delay } from 'node:timers/promises';
import { createHmac, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { startApi } from '../../../support/api.js';
import { type ApiResponse, at, registerUser, send, type TestUser } from '../../../support/client.js';
import { setUpApi } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const PASSWORD = 'correct horse battery staple';
const ID = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';

const api = setUpApi({ JWT_SECRET: SECRET, LOG_LEVEL: 'trace' });

const newEmail = (): string => `user-${randomUUID()}@example.com`;

const register = (email: string, password = PASSWORD, url = api.url): Promise<ApiResponse> =>
  send(`${url}/api/v1/auth/register`, { method: 'POST', body: { email, password } });

const login = (email: string, password = PASSWORD, url = api.url): Promise<ApiResponse> =>
  send(`${url}/api/v1/auth/login`, { method: 'POST', body: { email, password } });

const me = (headers: Readonly<Record<string, string>>): Promise<ApiResponse> =>
  send(`${api.url}/api/v1/users/me`, { headers });

const bearer = (body: unknown): Record<string, string> => ({
  authorization: `Bearer ${String(at(body, 'access_token'))}`,
});

/** Errors in the API formats of Ollama and Anthropic have no codes. */
const codeless = (path: string): boolean => path.startsWith('/ollama/') || path.startsWith('/v1/messages');

const codeOf = ({ body }: ApiResponse): unknown => at(body, 'error', 'code');

describe('an account', () => {
  it('can register, log in and read itself', async () => {
    const email = newEmail();
    const registered = await register(email);
    expect(registered.status).toBe(201);
    expect(registered.body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.stringMatching(/^prt_[\w-]{43}$/),
      token_type: 'Bearer',
      expires_in: 900,
    });
    const loggedIn = await login(email);
    expect(loggedIn.status).toBe(200);
    expect(loggedIn.body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.stringMatching(/^prt_[\w-]{43}$/),
      token_type: 'Bearer',
      expires_in: 900,
    });
    for (const { body } of [registered, loggedIn]) {
      const answer = await me(bearer(body));
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        email,
        role: 'admin',
        disabled: false,
        quota_tokens_day: null,
        quota_cost_month_usd: null,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      });
    }
  });

  it('has an address that is compared without case and surrounding white space', async () => {
    const local = `Ada-${randomUUID()}`;
    const registered = await register(` ${local}@Example.COM\n`);
    expect(registered.status).toBe(201);
    expect(at((await me(bearer(registered.body))).body, 'email')).toBe(`${local.toLowerCase()}@example.com`);
    expect((await login(`\t${local.toUpperCase()}@EXAMPLE.com `)).status).toBe(200);
    expect(codeOf(await register(`${local.toUpperCase()}@example.com`))).toBe('email_taken');
  });

  it('cannot be registered twice with one address', async () => {
    const email = newEmail();
    await register(email);
    const again = await register(email, 'another long password');
    expect(again.status).toBe(409);
    expect(at(again.body, 'error')).toEqual({
      code: 'email_taken',
      message: 'An account with this email address already exists. Log in instead.',
      type: 'invalid_request_error',
      param: 'email',
    });
    expect(again.headers.get('x-should-retry')).toBe('false');
    expect((await login(email, 'another long password')).status).toBe(401);
    expect((await login(email)).status).toBe(200);
  });

  it('is created once if ten registrations arrive at once', async () => {
    const email = newEmail();
    const answers = await Promise.all(Array.from({ length: 10 }, () => register(email)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(9).fill(409)]);
    const rows = await query(api.database, 'SELECT id FROM users WHERE email = $1', [email]);
    expect(rows).toHaveLength(1);
  });

  it.each([
    ['7 characters', 'x'.repeat(7), 400],
    ['8 characters', 'x'.repeat(8), 201],
    ['128 characters', 'x'.repeat(128), 201],
    ['129 characters', 'x'.repeat(129), 400],
    ['4 code points that are 8 UTF-16 units', '😀'.repeat(4), 400],
    ['128 code points that are 256 UTF-16 units', '😀'.repeat(128), 201],
  ])('is accepted or refused by the length of its password: %s', async (_what, password, expected) => {
    const answer = await register(newEmail(), password);
    expect(answer.status).toBe(expected);
    if (expected === 400) {
      expect(at(answer.body, 'error', 'details', 0, 'field')).toBe('password');
      expect(JSON.stringify(answer.body)).not.toContain(password);
    }
  });

  it('compares every character of its password exactly', async () => {
    const email = newEmail();
    const password = `${'x'.repeat(127)}A`;
    await register(email, password);
    expect((await login(email, `${'x'.repeat(127)}B`)).status).toBe(401);
    expect((await login(email, `${'x'.repeat(127)}a`)).status).toBe(401);
    expect((await login(email, 'x'.repeat(127))).status).toBe(401);
    expect((await login(email, password)).status).toBe(200);
  });

  it('is stored with an argon2id hash, and the password appears nowhere', async () => {
    const email = newEmail();
    const password = `secret-${randomUUID()}`;
    await register(email, password);
    await login(email, password);
    const rows = await query(api.database, 'SELECT password_hash FROM users WHERE email = $1', [email]);
    expect(rows[0]?.['password_hash']).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const everything = await query(api.database, 'SELECT * FROM users');
    expect(JSON.stringify(everything)).not.toContain(password);
    expect(api.log.join('\n')).not.toContain(password);
    expect(api.log.join('\n')).toContain('/api/v1/auth/login');
  });

  it('has another hash than another account with the same password', async () => {
    const emails = [newEmail(), newEmail()];
    for (const email of emails) await register(email);
    const rows = await query(api.database, 'SELECT DISTINCT password_hash FROM users WHERE email = ANY($1)', [
      emails,
    ]);
    expect(rows).toHaveLength(2);
  });
});

describe('a failed login', () => {
  it('has the same response for an unknown address and for a wrong password', async () => {
    const email = newEmail();
    await register(email);
    const wrong = await login(email, 'wrong password');
    const unknown = await login(newEmail(), 'wrong password');
    expect(wrong.status).toBe(401);
    expect(wrong.body).toEqual({
      error: {
        code: 'invalid_credentials',
        message: 'The email address or the password is wrong.',
        type: 'authentication_error',
        param: null,
      },
      request_id: wrong.headers.get('x-request-id'),
    });
    const comparable = ({ status, headers, body }: ApiResponse): unknown => ({
      status,
      error: at(body, 'error'),
      headers: Object.fromEntries(
        [...headers].filter(([name]) => !['date', 'etag', 'x-process-time', 'x-request-id'].includes(name)),
      ),
    });
    expect(comparable(unknown)).toEqual(comparable(wrong));
  });

  it('takes a similar amount of CPU time for both', async () => {
    const email = newEmail();
    await register(email);
    const workOf = async (address: string): Promise<number> => {
      const before = process.cpuUsage();
      for (let round = 0; round < 8; round += 1) await login(address, 'wrong password');
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    // The first unknown address of a process also computes the hash used in place of the missing one.
    await login(newEmail(), 'wrong password');
    const known = await workOf(email);
    const unknown = await workOf(newEmail());
    expect(unknown / known).toBeGreaterThan(1 / 3);
    expect(unknown / known).toBeLessThan(3);
  });
});

const claimsOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

/** The session of the account that the tokens are for. */
let sessionId: string | undefined;

/** Creates a token like the server's, except for the given changes. */
function tokenWith(options: {
  readonly subject?: unknown;
  readonly session?: string;
  readonly claims?: object;
  readonly header?: object;
  readonly secret?: string;
  readonly hash?: string;
}): string {
  const now = Math.floor(Date.now() / 1000);
  const head = encode({ alg: 'HS256', typ: 'JWT', ...options.header });
  const body = encode({
    iat: now,
    exp: now + 900,
    iss: 'parley',
    aud: 'parley-api',
    sub: options.subject,
    sid: options.session ?? sessionId,
    ...options.claims,
  });
  const signature = createHmac(options.hash ?? 'sha256', options.secret ?? SECRET)
    .update(`${head}.${body}`)
    .digest('base64url');
  return `${head}.${body}.${signature}`;
}

describe('an access token', () => {
  let user: TestUser;
  let userId: string;

  beforeAll(async () => {
    user = await registerUser(api.url);
    userId = String(at((await user.request('GET', '/api/v1/users/me')).body, 'id'));
    sessionId = String(at(claimsOf(user.token), 'sid'));
  });

  const NOT_VALID = 'The access token is invalid. Log in again.';
  const NONE =
    'Send an access token or an API key as "Authorization: Bearer <token>". Get a token from POST /api/v1/auth/login.';

  async function expectUnauthorized(answer: ApiResponse, message: string): Promise<void> {
    expect(answer.body).toEqual({
      error: { code: 'unauthorized', message, type: 'authentication_error', param: null },
      request_id: answer.headers.get('x-request-id'),
    });
    expect(answer.status).toBe(401);
    expect((await user.request('GET', '/api/v1/users/me')).status).toBe(200);
  }

  it('created like the server’s is accepted, so that each one below fails only for its one change', async () => {
    const answer = await me({ authorization: `Bearer ${tokenWith({ subject: userId })}` });
    expect(answer.status).toBe(200);
    expect(at(answer.body, 'id')).toBe(userId);
  });

  const expired = Math.floor(Date.now() / 1000) - 1;

  it.each<[what: string, make: () => string, message: string]>([
    [
      'that has expired',
      () => tokenWith({ subject: userId, claims: { exp: expired } }),
      'The access token has expired. Refresh it, or log in again.',
    ],
    [
      'that is not valid yet',
      () => tokenWith({ subject: userId, claims: { nbf: expired + 3600 } }),
      NOT_VALID,
    ],
    [
      'with another payload under the same signature',
      () => {
        const [head = '', , signature = ''] = user.token.split('.');
        const now = Math.floor(Date.now() / 1000);
        const claims = {
          iat: now,
          exp: now + 9000,
          iss: 'parley',
          aud: 'parley-api',
          sub: userId,
          sid: sessionId,
        };
        return `${head}.${encode(claims)}.${signature}`;
      },
      NOT_VALID,
    ],
    [
      'with another signature',
      () => {
        const [head = '', body = '', signature = ''] = user.token.split('.');
        return `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
      },
      NOT_VALID,
    ],
    ['without a signature', () => user.token.replace(/[^.]*$/, ''), NOT_VALID],
    [
      'of algorithm none',
      () => tokenWith({ subject: userId, header: { alg: 'none' } }).replace(/[^.]*$/, ''),
      NOT_VALID,
    ],
    [
      'of algorithm none with a signature',
      () => tokenWith({ subject: userId, header: { alg: 'none' } }),
      NOT_VALID,
    ],
    [
      'signed with HS512 and the correct secret',
      () => tokenWith({ subject: userId, header: { alg: 'HS512' }, hash: 'sha512' }),
      NOT_VALID,
    ],
    ['of another issuer', () => tokenWith({ subject: userId, claims: { iss: 'other' } }), NOT_VALID],
    ['for another audience', () => tokenWith({ subject: userId, claims: { aud: 'other' } }), NOT_VALID],
    ['signed with another secret', () => tokenWith({ subject: userId, secret: `${SECRET}x` }), NOT_VALID],
    ['without an account', () => tokenWith({}), NOT_VALID],
    ['of an account that is not a UUID', () => tokenWith({ subject: 'admin' }), NOT_VALID],
    ['of an array of accounts', () => tokenWith({ subject: [userId] }), NOT_VALID],
    [
      'of an unknown account',
      () => tokenWith({ subject: ID }),
      'The account of this access token no longer exists.',
    ],
    ['without a session', () => tokenWith({ subject: userId, claims: { sid: undefined } }), NOT_VALID],
    ['that is not a JWT', () => 'abc', NOT_VALID],
    ['of 10,000 characters', () => 'a.'.repeat(5000), NOT_VALID],
  ])('%s is refused', async (_what, make, message) => {
    const token = make();
    await expectUnauthorized(await me({ authorization: `Bearer ${token}` }), message);
    await expectUnauthorized(await me({ 'x-api-key': token }), message);
  });

  it('of a deleted account is refused within 8 s, once its cached authentication has expired', async () => {
    const gone = await registerUser(api.url);
    expect((await gone.request('GET', '/api/v1/users/me')).status).toBe(200);
    await query(api.database, 'DELETE FROM users WHERE email = $1', [gone.email]);
    const until = performance.now() + 8_000;
    let answer = await gone.request('GET', '/api/v1/users/me');
    while (answer.status !== 401 && performance.now() < until) {
      await delay(100);
      answer = await gone.request('GET', '/api/v1/users/me');
    }
    await expectUnauthorized(answer, 'The account of this access token no longer exists.');
  });

  it.each<[what: string, headers: () => Record<string, string>]>([
    ['after two spaces', () => ({ authorization: `Bearer  ${user.token}` })],
    ['of a scheme in lower case', () => ({ authorization: `bearer ${user.token}` })],
    ['as an API key', () => ({ 'x-api-key': user.token })],
    [
      'as an API key along with another scheme',
      () => ({ authorization: 'Basic YTpi', 'x-api-key': user.token }),
    ],
  ])('%s is accepted', async (_what, headers) => {
    const answer = await me(headers());
    expect(answer.status).toBe(200);
    expect(at(answer.body, 'id')).toBe(userId);
  });

  it.each<[what: string, headers: () => Record<string, string>]>([
    ['no header', () => ({})],
    ['no token after the scheme', () => ({ authorization: 'Bearer ' })],
    ['another scheme', () => ({ authorization: `Basic ${user.token}` })],
    ['no scheme', () => ({ authorization: user.token })],
    ['two tokens', () => ({ authorization: `Bearer ${user.token} ${user.token}` })],
    ['an empty API key', () => ({ 'x-api-key': '' })],
    ['a cookie', () => ({ cookie: `access_token=${user.token}` })],
  ])('is treated as missing with %s', async (_what, headers) => {
    await expectUnauthorized(await me(headers()), NONE);
  });

  it('in the query string is treated as missing', async () => {
    const answer = await send(`${api.url}/api/v1/users/me?access_token=${user.token}`);
    await expectUnauthorized(answer, NONE);
  });
});

describe('without credentials', () => {
  interface Route {
    readonly method: string;
    readonly path: string;
    readonly open: boolean;
  }

  async function routes(): Promise<Route[]> {
    const { body } = await send(`${api.url}/docs-json`);
    return Object.entries(Object(at(body, 'paths')) as object).flatMap(([path, item]) =>
      Object.entries(Object(item) as object).map(([method, operation]) => {
        const security = at(operation, 'security') ?? at(body, 'security');
        return { method, path, open: JSON.stringify(security).includes('{}') };
      }),
    );
  }

  const ask = ({ method, path }: Route): Promise<ApiResponse> =>
    send(`${api.url}${path.replaceAll(/\{\w+\}/g, ID)}`, {
      method: method.toUpperCase(),
      ...(method === 'post' && { body: {} }),
    });

  it('only the listed routes are accessible', async () => {
    const open = (await routes()).filter((route) => route.open);
    expect(open.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      'get /',
      'get /api/v1/shared/{token}',
      'get /api/v1/shared/{token}/messages',
      'get /health',
      'get /health/live',
      'get /health/ready',
      'post /api/v1/auth/login',
      'post /api/v1/auth/logout',
      'post /api/v1/auth/refresh',
      'post /api/v1/auth/register',
    ]);
    for (const route of open) expect((await ask(route)).status).not.toBe(401);
  });

  it('every other documented route returns 401 before it processes the request', async () => {
    const closed = (await routes()).filter((route) => !route.open);
    expect(closed.length).toBeGreaterThanOrEqual(7);
    for (const route of closed) {
      const answer = await ask(route);
      expect({ route, status: answer.status, code: codeOf(answer) }).toEqual({
        route,
        status: 401,
        code: codeless(route.path) ? undefined : 'unauthorized',
      });
    }
  });

  it.each(['/docs', '/docs-json', '/redoc'])('%s is accessible', async (path) => {
    expect((await send(`${api.url}${path}`)).status).toBe(200);
  });
});

it('with AUTH_REGISTRATION=closed, registrations are refused and existing accounts can log in', async () => {
  const email = newEmail();
  await register(email);
  const closed = await startApi({ JWT_SECRET: SECRET, AUTH_REGISTRATION: 'closed' }, api.database);
  try {
    const stranger = newEmail();
    const answer = await register(stranger, PASSWORD, closed.url);
    expect(answer.status).toBe(403);
    expect(at(answer.body, 'error')).toEqual({
      code: 'registration_closed',
      message: 'Registration is closed on this server. Ask its operator for an account.',
      type: 'permission_error',
      param: null,
    });
    expect(codeOf(await register(email, PASSWORD, closed.url))).toBe('registration_closed');
    const rows = await query(api.database, 'SELECT id FROM users WHERE email = $1', [stranger]);
    expect(rows).toEqual([]);
    expect((await login(email, PASSWORD, closed.url)).status).toBe(200);
  } finally {
    await closed.close();
  }
});

describe('X-Request-ID', () => {
  const idFor = async (id: string, path = '/health/live'): Promise<ApiResponse> =>
    send(`${api.url}${path}`, { headers: { 'x-request-id': id } });

  it.each(['abc', 'A-b_c.d:1', 'x'.repeat(128)])('%s is used for the response', async (id) => {
    expect((await idFor(id)).headers.get('x-request-id')).toBe(id);
    const { headers, body } = await idFor(id, '/nope');
    expect(headers.get('x-request-id')).toBe(id);
    expect(at(body, 'request_id')).toBe(id);
  });

  it.each(['', 'a b', '<script>', '"', 'a,b', '{"a":1}', 'é', 'x'.repeat(129), '../../etc'])(
    '%p is replaced because it is not plain',
    async (id) => {
      const { headers, body } = await idFor(id, '/nope');
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}$/);
      expect(at(body, 'request_id')).toBe(headers.get('x-request-id'));
    },
  );

  it('is new for each request that has none', async () => {
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () =>
        (await send(`${api.url}/health/live`)).headers.get('x-request-id'),
      ),
    );
    expect(new Set(ids).size).toBe(5);
  });
});
