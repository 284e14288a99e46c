// Real components: the API on a socket, its queues in PostgreSQL or Redis, and Bull Board with its files. Each of the
// board's own routes that change something is requested.
import { createHmac } from 'node:crypto';
import { appRoutes } from '@bull-board/api/dist/routes.js';
import { describe, expect, it } from '@jest/globals';
import { idOf, makeKey, registerAdmin } from '../../../support/accounts.js';
import { type ApiResponse, at, listAt, registerUser, send, type TestUser } from '../../../support/client.js';
import { ManualClock } from '../../../support/clock.js';
import { askDashboard, cookieOf, openDashboard, queueNamesIn } from '../../../support/queue-dashboard.js';
import { setUpAdmin, setUpApi, setUpUser } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const QUEUES = [
  'batches',
  'conversation-tasks',
  'file-texts',
  'rag-ingestions',
  'scheduled-tasks',
  'turns',
  'webhook-deliveries',
];
const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

const clock = new ManualClock();
const api = setUpApi({ TRUST_PROXY: 'loopback', JWT_SECRET: SECRET }, 'block', clock);
const admin = setUpAdmin(api);
const user = setUpUser(api);

/** Opens a session and returns its cookie as the browser sends it. */
async function openCookie(who: TestUser = admin): Promise<string> {
  const [cookie = ''] = await openDashboard(who);
  return cookie;
}

function expectUnauthorized({ status, headers, body }: ApiResponse): void {
  expect([status, at(body, 'error', 'code'), at(body, 'error', 'type')]).toEqual([
    401,
    'unauthorized',
    'authentication_error',
  ]);
  expect(at(body, 'request_id')).toBe(headers.get('x-request-id'));
  expect(headers.get('cache-control')).toBe('no-store');
}

/** Changes the claims of a token and signs it as the server does. */
function resigned(cookie: string, changes: object): string {
  const [head = '', payload = ''] = cookie.replace('parley_queues=', '').split('.');
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const body = Buffer.from(JSON.stringify({ ...(Object(claims) as object), ...changes })).toString(
    'base64url',
  );
  const signature = createHmac('sha256', SECRET).update(`${head}.${body}`).digest('base64url');
  return `parley_queues=${head}.${body}.${signature}`;
}

describe('a session of the queue dashboard', () => {
  it('is a cookie for the dashboard only, which scripts cannot read and other sites cannot send', async () => {
    const [token, ...attributes] = await openDashboard(admin);
    expect(token).toMatch(/^parley_queues=[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(attributes.filter((one) => !one.startsWith('Expires='))).toEqual([
      'Max-Age=600',
      'Path=/admin/queues',
      'HttpOnly',
      'SameSite=Strict',
    ]);
  });

  it('is sent over HTTPS only if a trusted proxy reports HTTPS', async () => {
    const headers = { authorization: `Bearer ${admin.token}`, 'x-forwarded-proto': 'https' };
    const answer = await send(`${api.url}/api/v1/admin/queues/session`, { method: 'POST', headers });
    expect(cookieOf(answer.headers)).toContain('Secure');
  });

  it('is described by its response, which does not contain the token', async () => {
    const { body, headers } = await admin.request('POST', '/api/v1/admin/queues/session');
    const [cookie = ''] = cookieOf(headers);
    expect(Object.keys(Object(body) as object)).toEqual(['url', 'expires_at']);
    expect(at(body, 'url')).toBe('/admin/queues');
    const left = Date.parse(String(at(body, 'expires_at'))) - clock.now();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(600_000);
    expect(JSON.stringify(body)).not.toContain(cookie.slice(14));
  });

  it('is refused to accounts that are not admins', async () => {
    const { status, headers, body } = await user.request('POST', '/api/v1/admin/queues/session');
    expect([status, at(body, 'error', 'code')]).toEqual([403, 'forbidden']);
    expect(headers.has('set-cookie')).toBe(false);
  });

  it('is in the audit log, and its token is neither there nor in the log', async () => {
    const cookie = await openCookie();
    await askDashboard(api.url, cookie);
    const { body } = await admin.request('GET', '/api/v1/audit-log?limit=1');
    const userId = await idOf(admin);
    expect(listAt(body, 'data')[0]).toMatchObject({
      action: 'queue_dashboard.opened',
      actor_id: userId,
      user_id: userId,
    });
    const rows = JSON.stringify(await query(api.database, 'SELECT l::text FROM audit_log l'));
    const signature = cookie.split('.')[2] ?? '';
    expect(signature).not.toBe('');
    expect(rows).not.toContain(signature);
    expect(api.log.filter((line) => line.includes(signature))).toEqual([]);
  });
});

describe('the queue dashboard', () => {
  it('shows every queue of the installation, read-only', async () => {
    const answer = await askDashboard(api.url, await openCookie());
    expect(answer.status).toBe(200);
    expect(queueNamesIn(answer)).toEqual(QUEUES);
    for (const queue of listAt(answer.body, 'queues'))
      expect(queue).toMatchObject({ readOnlyMode: true, allowRetries: false, type: 'bullmq' });
  });

  it('answers every route of the board that reads', async () => {
    const cookie = await openCookie();
    const jobId = await findScheduledJob(cookie);
    for (const path of routesOf((method) => method === 'get', jobId)) {
      const { status, body } = await askDashboard(api.url, cookie, path);
      expect({ path, status, body }).toEqual({ path, status: 200, body: expect.anything() });
    }
  });

  it('serves its page and files with a strict policy, uncached, and without anything of other servers', async () => {
    const cookie = await openCookie();
    const pages = ['', '/', '/queue/turns', '/queue/turns/1', '/job-schedulers'];
    for (const path of pages) {
      const { status, headers, body } = await askDashboard(api.url, cookie, path, { headers: BROWSER });
      expect([path, status, headers.get('content-type')]).toEqual([path, 200, 'text/html; charset=utf-8']);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-security-policy')?.split(';').sort()).toEqual([
        "base-uri 'self'",
        "connect-src 'self'",
        "default-src 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "img-src 'self' data:",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
      ]);
      expect(body).toContain('<base href="/admin/queues/"');
      expect(body).not.toMatch(/https?:\/\/|<%/);
      const files = [...String(body).matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file]) => file);
      expect(files.length).toBeGreaterThan(3);
      for (const file of path === '' ? files : []) {
        const served = await askDashboard(api.url, cookie, `/${file ?? ''}`);
        expect([file, served.status, served.headers.get('cache-control')]).toEqual([file, 200, 'no-store']);
        expectUnauthorized(await askDashboard(api.url, undefined, `/${file ?? ''}`));
      }
    }
  });

  it('refuses every route of the board that changes something, and changes nothing', async () => {
    const cookie = await openCookie();
    const jobId = await findScheduledJob(cookie);
    const path = '/api/queues?activeQueue=scheduled-tasks';
    const before = stateIn(await askDashboard(api.url, cookie, path));
    const routes = appRoutes.api.flatMap(({ method, route }) =>
      [method]
        .flat()
        .flatMap((one) => (one === 'get' ? [] : [[one, fill([route].flat()[0] ?? '', jobId)] as const])),
    );
    expect(routes.length).toBeGreaterThan(15);
    for (const [method, route] of routes) {
      const { status, body } = await askDashboard(api.url, cookie, route, { method: method.toUpperCase() });
      expect([route, status, at(body, 'error', 'code')]).toEqual([route, 403, 'forbidden']);
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      expect((await askDashboard(api.url, cookie, '/api/queues', { method })).status).toBe(403);
      expectUnauthorized(await askDashboard(api.url, undefined, '/api/queues', { method }));
    }
    expect(stateIn(await askDashboard(api.url, cookie, path))).toEqual(before);
  });

  it('answers an unknown path like any other', async () => {
    const { status, body } = await askDashboard(api.url, await openCookie(), '/static/../../../package.json');
    expect([status, at(body, 'error', 'code')]).toEqual([404, 'not_found']);
  });

  it('offers a browser without a session a login page, without anything of the board', async () => {
    for (const path of ['', '/queue/turns']) {
      const { status, headers, body } = await askDashboard(api.url, undefined, path, { headers: BROWSER });
      expect([status, headers.get('content-type')]).toEqual([401, 'text/html; charset=utf-8']);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(body).toContain('<script src="/admin/queues/login.js">');
      expect(body).not.toContain('static/js');
    }
    const script = await askDashboard(api.url, undefined, '/login.js');
    expect([script.status, script.headers.get('content-type')]).toEqual([
      200,
      'text/javascript; charset=utf-8',
    ]);
  });
});

describe('a cookie of the queue dashboard', () => {
  it('is refused ten minutes after it was set', async () => {
    const cookie = await openCookie();
    clock.advance(598_000);
    expect((await askDashboard(api.url, cookie)).status).toBe(200);
    clock.advance(3_000);
    expectUnauthorized(await askDashboard(api.url, cookie));
  });

  it('is refused if it is missing, tampered with or made for another purpose', async () => {
    const cookie = await openCookie();
    const [head = '', payload = ''] = cookie.split('.');
    const unsigned = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const [accessToken, refused] = [admin.token, 'parley_queues='];
    expect((await askDashboard(api.url, resigned(cookie, {}))).status).toBe(200);
    const cookies: (string | undefined)[] = [
      undefined,
      refused,
      `${refused}x`,
      `${cookie}x`,
      `${head}.${payload}.`,
      `${refused}${unsigned}.${payload}.`,
      `${refused}${accessToken}`,
      `other_${cookie}`,
      resigned(cookie, { aud: 'parley-api' }),
      resigned(cookie, { iss: 'someone' }),
      resigned(cookie, { sub: await idOf(user) }),
      resigned(cookie, { sid: null }),
      resigned(cookie, { sid: "' OR true --" }),
    ];
    for (const one of cookies) expectUnauthorized(await askDashboard(api.url, one));
    const bearer = { headers: { authorization: `Bearer ${accessToken}` } };
    expectUnauthorized(await askDashboard(api.url, undefined, '/api/queues', bearer));
  });

  it('is no access token', async () => {
    const token = (await openCookie()).replace('parley_queues=', '');
    const headers = { authorization: `Bearer ${token}` };
    expectUnauthorizedToken(await send(`${api.url}/api/v1/users/me`, { headers }));
    const cookie = `parley_queues=${token}`;
    expectUnauthorizedToken(await send(`${api.url}/api/v1/users/me`, { headers: { cookie } }));
  });

  function expectUnauthorizedToken({ status, body }: ApiResponse): void {
    expect([status, at(body, 'error', 'code')]).toEqual([401, 'unauthorized']);
  }

  it('is refused at once after its admin is demoted, disabled or deleted', async () => {
    for (const change of [{ role: 'user' }, { disabled: true }, undefined]) {
      const other = await registerAdmin(api);
      const cookie = await openCookie(other);
      expect((await askDashboard(api.url, cookie)).status).toBe(200);
      const path = `/api/v1/users/${await idOf(other)}`;
      await admin.request(change === undefined ? 'DELETE' : 'PATCH', path, change);
      expectUnauthorized(await askDashboard(api.url, cookie));
    }
  });

  it('is refused at once after the logout of its session, and not after that of another', async () => {
    const { email } = await registerAdmin(api);
    const logIn = async () => {
      const credentials = { email, password: 'a long password' };
      const { body } = await send(`${api.url}/api/v1/auth/login`, { method: 'POST', body: credentials });
      const headers = { authorization: `Bearer ${String(at(body, 'access_token'))}` };
      const session = await send(`${api.url}/api/v1/admin/queues/session`, { method: 'POST', headers });
      return { cookie: cookieOf(session.headers)[0], refresh_token: at(body, 'refresh_token') };
    };
    const [one, other] = [await logIn(), await logIn()];
    const { refresh_token } = one;
    await send(`${api.url}/api/v1/auth/logout`, { method: 'POST', body: { refresh_token } });
    expectUnauthorized(await askDashboard(api.url, one.cookie));
    expect((await askDashboard(api.url, other.cookie)).status).toBe(200);
  });

  it('of an API key is refused at once after the key is revoked', async () => {
    const { id, program } = await makeKey(api, admin, { scopes: ['admin'] });
    const cookie = await openCookie(program);
    expect((await askDashboard(api.url, cookie)).status).toBe(200);
    await admin.request('DELETE', `/api/v1/api-keys/${id}`);
    expectUnauthorized(await askDashboard(api.url, cookie));
  });
});

describe('with rate limits, the queue dashboard', () => {
  const limited = setUpApi({ RATE_LIMIT_IP_RPM: '5', RATE_LIMIT_RPM: '4' });

  it('counts requests with a session for the account, and others for the address', async () => {
    const other = await registerAdmin(limited);
    const cookie = await openCookie(other);
    const statuses = async (one: string | undefined, count: number): Promise<number[]> => {
      const found: number[] = [];
      for (let round = 0; round < count; round += 1)
        found.push((await askDashboard(limited.url, one)).status);
      return found;
    };
    expect(await statuses(cookie, 4)).toEqual([200, 200, 200, 429]);
    // The registration was one of the five.
    expect(await statuses(undefined, 5)).toEqual([401, 401, 401, 401, 429]);
    await expect(registerUser(limited.url)).rejects.toThrow('429');
  });
});

/** Waits until the tasks of the installation are scheduled, and returns the id of the next run of one. */
async function findScheduledJob(cookie: string): Promise<string> {
  let ids: unknown[] = [];
  await until('the scheduled tasks to have their next runs', async () => {
    ids = stateIn(await askDashboard(api.url, cookie, '/api/queues?activeQueue=scheduled-tasks')).ids;
    return ids.length >= 4;
  });
  return String(ids[0]);
}

/** Returns what a change of the queue would change. */
function stateIn({ body }: ApiResponse): { readonly ids: unknown[]; readonly queues: unknown[] } {
  const queues = listAt(body, 'queues');
  const active = queues.find((queue) => at(queue, 'name') === 'scheduled-tasks');
  return {
    ids: listAt(active, 'jobs').map((job) => at(job, 'id')),
    queues: queues.map((queue) => [at(queue, 'isPaused'), at(queue, 'globalConcurrency')]),
  };
}

function routesOf(selects: (method: string) => boolean, jobId: string): string[] {
  return appRoutes.api.flatMap(({ method, route }) =>
    [method].flat().some(selects) ? [route].flat().map((path) => fill(path, jobId)) : [],
  );
}

/** Replaces the parameters of a route of the board. */
function fill(route: string, jobId: string): string {
  return route
    .replace(':queueName', 'scheduled-tasks')
    .replace(':jobId', encodeURIComponent(jobId))
    .replace(':schedulerId', 'audit-retention')
    .replace(':queueStatus', 'delayed');
}
