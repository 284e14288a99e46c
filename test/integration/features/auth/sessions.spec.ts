// Real components: the API on a socket and PostgreSQL. Time passes by moving stored timestamps into the past.
import { describe, expect, it } from '@jest/globals';
import { startApi } from '../../../support/api.js';
import {
  type ApiResponse,
  at,
  registerUser,
  send,
  type TestUser,
  userWith,
} from '../../../support/client.js';
import { setUpApi } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const PASSWORD = 'a long password';
const ME = '/api/v1/users/me';

const api = setUpApi({ JWT_SECRET: SECRET });

const post = (path: string, body: unknown, url = api.url): Promise<ApiResponse> =>
  send(`${url}${path}`, { method: 'POST', body });

const refresh = (token: string): Promise<ApiResponse> =>
  post('/api/v1/auth/refresh', { refresh_token: token });

const login = (email: string, password = PASSWORD): Promise<ApiResponse> =>
  post('/api/v1/auth/login', { email, password });

const codeOf = ({ body }: ApiResponse): unknown => at(body, 'error', 'code');
const refreshTokenOf = ({ body }: ApiResponse): string => String(at(body, 'refresh_token'));

/** True if the access token of a response is accepted. */
const opens = async ({ body }: ApiResponse): Promise<boolean> =>
  (await userWith(api.url, String(at(body, 'access_token'))).request('GET', ME)).status === 200;

/** Opens a new session of a new account. */
async function begin(): Promise<{ user: TestUser; session: ApiResponse }> {
  const user = await registerUser(api.url);
  return { user, session: await login(user.email) };
}

/** Ends the grace period of all tokens exchanged so far. */
const graceGoesBy = (): Promise<unknown> =>
  query(api.database, `UPDATE refresh_tokens SET rotated_at = rotated_at - interval '11 seconds'`);

const live = async (user: TestUser): Promise<number> => {
  const [row] = await query(
    api.database,
    `SELECT count(*)::int AS count FROM refresh_tokens t JOIN users u ON u.id = t.user_id
     WHERE u.email = $1 AND t.revoked_at IS NULL`,
    [user.email],
  );
  return Number(row?.['count']);
};

describe('a refresh token', () => {
  it('can be exchanged repeatedly, each time for a valid pair of tokens', async () => {
    let { session } = await begin();
    const seen = new Set<string>();
    for (let round = 0; round < 5; round += 1) {
      seen.add(refreshTokenOf(session));
      session = await refresh(refreshTokenOf(session));
      expect(session.status).toBe(200);
      expect(session.body).toEqual({
        access_token: expect.any(String),
        refresh_token: expect.stringMatching(/^prt_[\w-]{43}$/),
        token_type: 'Bearer',
        expires_in: 900,
      });
      expect(await opens(session)).toBe(true);
    }
    expect(seen.has(refreshTokenOf(session))).toBe(false);
    expect(seen.size).toBe(5);
  });

  it('that is reused ends its session for both holders, and no other session', async () => {
    const { user, session } = await begin();
    const second = await refresh(refreshTokenOf(session));
    expect(await opens(second)).toBe(true);
    await graceGoesBy();
    const again = await refresh(refreshTokenOf(session));
    expect(again.status).toBe(401);
    expect(codeOf(again)).toBe('invalid_refresh_token');
    expect(at(again.body, 'error', 'message')).toContain('already used');
    expect(codeOf(await refresh(refreshTokenOf(second)))).toBe('invalid_refresh_token');
    // Immediately, although it was accepted a moment ago.
    expect(await opens(second)).toBe(false);
    expect((await user.request('GET', ME)).status).toBe(200);
  });

  it('that a client sends twice in a row yields two valid pairs', async () => {
    const { session } = await begin();
    const [one, other] = [await refresh(refreshTokenOf(session)), await refresh(refreshTokenOf(session))];
    expect([one.status, other.status]).toEqual([200, 200]);
    await graceGoesBy();
    for (const pair of [one, other]) {
      expect(await opens(pair)).toBe(true);
      expect((await refresh(refreshTokenOf(pair))).status).toBe(200);
    }
  });

  it('that is sent ten times at once yields ten pairs and is rotated once', async () => {
    const { user, session } = await begin();
    const before = await live(user);
    const token = refreshTokenOf(session);
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(token)));
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(10).fill(200));
    expect(new Set(answers.map(refreshTokenOf)).size).toBe(10);
    expect(await live(user)).toBe(before + 10);
    const rotated = await query(
      api.database,
      `SELECT t.replaced_by FROM refresh_tokens t JOIN users u ON u.id = t.user_id
       WHERE u.email = $1 AND t.rotated_at IS NOT NULL`,
      [user.email],
    );
    expect(rotated).toHaveLength(1);
    await Promise.all(answers.map(async (answer) => expect(await opens(answer)).toBe(true)));
  });

  it('that is exchanged while its session ends leaves no valid token', async () => {
    for (let round = 0; round < 15; round += 1) {
      const { user, session } = await begin();
      const second = await refresh(refreshTokenOf(session));
      await graceGoesBy();
      await Promise.all([refresh(refreshTokenOf(second)), refresh(refreshTokenOf(session))]);
      // Only the session from the registration is left.
      expect(await live(user)).toBe(1);
    }
  });

  it.each([
    ['unknown', 'prt_nothing'],
    ['an access token', 'a.b.c'],
    ['empty', ''],
  ])('that is %s is refused', async (_what, token) => {
    expect(codeOf(await refresh(token))).toBe('invalid_refresh_token');
  });

  it('that has expired is refused', async () => {
    const { user, session } = await begin();
    await query(
      api.database,
      `UPDATE refresh_tokens SET expires_at = now() WHERE user_id = (SELECT id FROM users WHERE email = $1)`,
      [user.email],
    );
    expect(codeOf(await refresh(refreshTokenOf(session)))).toBe('invalid_refresh_token');
  });

  it('is stored as a hash only', async () => {
    const { session } = await begin();
    const rows = await query(api.database, `SELECT t::text, encode(hash, 'escape') FROM refresh_tokens t`);
    const token = refreshTokenOf(session);
    expect(JSON.stringify(rows)).not.toContain(token.slice(4));
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(token).toString('hex'));
    expect(api.log.join('')).not.toContain(token);
  });
});

describe('POST /api/v1/auth/logout', () => {
  it('ends the session and its access tokens, and no other session', async () => {
    const { user, session } = await begin();
    expect(await opens(session)).toBe(true);
    const answer = await post('/api/v1/auth/logout', { refresh_token: refreshTokenOf(session) });
    expect(answer.status).toBe(204);
    expect(await opens(session)).toBe(false);
    expect(codeOf(await refresh(refreshTokenOf(session)))).toBe('invalid_refresh_token');
    expect((await user.request('GET', ME)).status).toBe(200);
  });

  it('with everywhere: true ends all sessions of the account, and none of another account', async () => {
    const { user, session } = await begin();
    const other = await begin();
    const body = { refresh_token: refreshTokenOf(session), everywhere: true };
    expect((await post('/api/v1/auth/logout', body)).status).toBe(204);
    expect((await user.request('GET', ME)).status).toBe(401);
    expect(await live(user)).toBe(0);
    expect(await opens(other.session)).toBe(true);
  });

  it('returns the same status for an invalid token', async () => {
    expect((await post('/api/v1/auth/logout', { refresh_token: 'prt_nothing' })).status).toBe(204);
  });
});

describe('POST /api/v1/users/me/password', () => {
  const change = (user: TestUser, current: string, next: string): Promise<ApiResponse> =>
    user.request('POST', `${ME}/password`, { current_password: current, new_password: next });

  it('ends all sessions at once, and replaces the old password', async () => {
    const { user, session } = await begin();
    expect(await opens(session)).toBe(true);
    expect((await change(user, PASSWORD, 'another password')).status).toBe(204);
    expect(await opens(session)).toBe(false);
    expect((await user.request('GET', ME)).status).toBe(401);
    expect(await live(user)).toBe(0);
    expect((await login(user.email)).status).toBe(401);
    expect(await opens(await login(user.email, 'another password'))).toBe(true);
  });

  it('requires the current password', async () => {
    const { user } = await begin();
    const answer = await change(user, 'not the password', 'another password');
    expect(codeOf(answer)).toBe('invalid_credentials');
    expect(at(answer.body, 'error', 'param')).toBe('current_password');
    expect((await user.request('GET', ME)).status).toBe(200);
    expect((await login(user.email)).status).toBe(200);
  });

  it('ends sessions that are opened or refreshed at the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { user, session } = await begin();
      const token = refreshTokenOf(session);
      const [changed] = await Promise.all([
        change(user, PASSWORD, 'another password'),
        login(user.email),
        refresh(token),
        login(user.email),
      ]);
      expect(changed.status).toBe(204);
      expect(await live(user)).toBe(0);
    }
  });
});

describe('a changed JWT_SECRET', () => {
  it('with JWT_SECRET_PREVIOUS accepts old tokens, and signs new ones with the new secret only', async () => {
    const { user } = await begin();
    const secrets = { JWT_SECRET: `${SECRET}-new`, JWT_SECRET_PREVIOUS: SECRET };
    const rotated = await startApi(secrets, api.database);
    try {
      expect((await userWith(rotated.url, user.token).request('GET', ME)).status).toBe(200);
      const fresh = await post('/api/v1/auth/login', { email: user.email, password: PASSWORD }, rotated.url);
      const token = String(at(fresh.body, 'access_token'));
      expect((await userWith(rotated.url, token).request('GET', ME)).status).toBe(200);
      expect((await userWith(api.url, token).request('GET', ME)).status).toBe(401);
    } finally {
      await rotated.close();
    }
  });

  it('without JWT_SECRET_PREVIOUS refuses old tokens', async () => {
    const { user } = await begin();
    const replaced = await startApi({ JWT_SECRET: `${SECRET}-new` }, api.database);
    try {
      expect((await userWith(replaced.url, user.token).request('GET', ME)).status).toBe(401);
    } finally {
      await replaced.close();
    }
  });
});
