// Real components: the API on a socket and PostgreSQL.
import { describe, expect, it } from '@jest/globals';
import { idOf, makeKey } from '../../../support/accounts.js';
import { type ApiResponse, at, listAt, registerUser, send } from '../../../support/client.js';
import { setUpAdmin, setUpApi } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';

const PASSWORD = 'a long password';

const api = setUpApi({ OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' });
const admin = setUpAdmin(api);

const post = (path: string, body: unknown): Promise<ApiResponse> =>
  send(`${api.url}${path}`, { method: 'POST', body });

it('the audit log lists actor, action, account, time and address of every event, newest first, without secrets', async () => {
  const user = await registerUser(api.url);
  const userId = await idOf(user);
  const adminId = await idOf(admin);
  const secrets = [PASSWORD, user.token];
  await post('/api/v1/auth/login', { email: user.email, password: 'the wrong one' });
  const session = await post('/api/v1/auth/login', { email: user.email, password: PASSWORD });
  const refreshToken = String(at(session.body, 'refresh_token'));
  const next = await post('/api/v1/auth/refresh', { refresh_token: refreshToken });
  await query(api.database, `UPDATE refresh_tokens SET rotated_at = rotated_at - interval '11 seconds'`);
  await post('/api/v1/auth/refresh', { refresh_token: refreshToken });
  const { id, key } = await makeKey(api, user, { scopes: ['chat', 'files'] });
  await user.request('DELETE', `/api/v1/api-keys/${id}`);
  await user.request('PUT', '/api/v1/provider-keys/openai', { key: 'sk-secret-0123456789' });
  await user.request('DELETE', '/api/v1/provider-keys/openai');
  await user.request('PATCH', '/api/v1/users/me', { email: `x-${user.email}`, current_password: PASSWORD });
  const password = { current_password: PASSWORD, new_password: 'another password' };
  await user.request('POST', '/api/v1/users/me/password', password);
  const path = `/api/v1/users/${userId}`;
  await admin.request('PATCH', path, { role: 'admin', disabled: true, quota_tokens_day: 5 });
  await admin.request('PATCH', path, { disabled: false });
  const last = await post('/api/v1/auth/login', { email: `x-${user.email}`, password: 'another password' });
  const logout = { refresh_token: String(at(last.body, 'refresh_token')), everywhere: true };
  await post('/api/v1/auth/logout', logout);
  await admin.request('DELETE', path);
  secrets.push(refreshToken, String(at(next.body, 'refresh_token')), key, key.slice(11), 'sk-secret');
  secrets.push('another password', 'the wrong one', user.email);

  const { body } = await admin.request('GET', `/api/v1/audit-log?user_id=${userId}&limit=100`);
  const entries = listAt(body, 'data');
  expect(entries.map((entry) => [at(entry, 'action'), at(entry, 'actor_id')]).reverse()).toEqual([
    ['user.registered', userId],
    ['session.refused', null],
    ['session.opened', userId],
    ['session.reused', null],
    ['api_key.created', userId],
    ['api_key.revoked', userId],
    ['provider_key.set', userId],
    ['provider_key.deleted', userId],
    ['user.updated', userId],
    ['user.password_changed', userId],
    ['user.updated', adminId],
    ['user.disabled', adminId],
    ['user.enabled', adminId],
    ['session.opened', userId],
    ['session.ended_everywhere', userId],
    ['user.deleted', adminId],
  ]);
  for (const entry of entries) {
    expect(at(entry, 'user_id')).toBe(userId);
    expect(at(entry, 'address')).toMatch(/127\.0\.0\.1$/);
    expect(Date.now() - Date.parse(String(at(entry, 'at')))).toBeLessThan(60_000);
  }
  const detailOf = (action: string): unknown =>
    at(
      entries.find((entry) => at(entry, 'action') === action),
      'detail',
    );
  expect(detailOf('api_key.created')).toEqual({ scopes: ['chat', 'files'] });
  expect(detailOf('session.refused')).toEqual({ reason: 'wrong_credentials' });
  const everything = JSON.stringify(await query(api.database, 'SELECT l::text FROM audit_log l'));
  for (const secret of secrets) expect(everything).not.toContain(secret);
  // The other tables contain no secret either, not even as bytes that are not a hash.
  for (const table of ['users', 'refresh_tokens', 'api_keys', 'provider_keys']) {
    const rows = JSON.stringify(await query(api.database, `SELECT t::text FROM ${table} t`));
    for (const secret of secrets.slice(0, 7)) expect(rows).not.toContain(secret);
  }
});

describe('the pages of the audit log', () => {
  it('contain every entry once', async () => {
    const user = await registerUser(api.url);
    for (let round = 0; round < 4; round += 1) await makeKey(api, user);
    const userId = await idOf(user);
    const seen: unknown[] = [];
    let after = '';
    for (;;) {
      const { body } = await admin.request('GET', `/api/v1/audit-log?user_id=${userId}&limit=2${after}`);
      seen.push(...listAt(body, 'data').map((entry) => at(entry, 'id')));
      if (at(body, 'has_more') !== true) break;
      after = `&after=${String(at(body, 'last_id'))}`;
    }
    expect(new Set(seen).size).toBe(5);
    expect(seen.toSorted().reverse()).toEqual(seen);
  });
});

it('a login is refused for a while after ten wrong passwords, while other accounts can log in', async () => {
  const [user, other] = [await registerUser(api.url), await registerUser(api.url)];
  const login = (email: string, password: string): Promise<ApiResponse> =>
    post('/api/v1/auth/login', { email, password });
  const wrong = await Promise.all(Array.from({ length: 20 }, () => login(user.email, 'a wrong one')));
  expect(wrong.map(({ status }) => status).toSorted()).toEqual([
    ...Array<number>(10).fill(401),
    ...Array<number>(10).fill(429),
  ]);
  const refused = await login(user.email.toUpperCase(), PASSWORD);
  expect(refused.status).toBe(429);
  expect(at(refused.body, 'error', 'code')).toBe('rate_limit_exceeded');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(refused.headers.get('x-should-retry')).toBe('false');
  expect((await login(other.email, PASSWORD)).status).toBe(200);
});
