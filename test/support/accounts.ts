import type { TestApi } from './api.js';
import { at, registerUser, type TestUser, userWith } from './client.js';
import { query } from './stored.js';

/** Registers an account and makes it an admin before its first request. */
export async function registerAdmin(api: TestApi): Promise<TestUser> {
  const user = await registerUser(api.url);
  await query(api.database, `UPDATE users SET role = 'admin' WHERE email = $1`, [user.email]);
  return user;
}

/** Returns the id of an account. */
export async function idOf(user: TestUser): Promise<string> {
  return String(at((await user.request('GET', '/api/v1/users/me')).body, 'id'));
}

/** Creates an API key of an account and returns it with its id. */
export async function makeKey(
  api: TestApi,
  user: TestUser,
  body: object = {},
): Promise<{ readonly id: string; readonly key: string; readonly program: TestUser }> {
  const answer = await user.request('POST', '/api/v1/api-keys', { name: 'test', ...body });
  if (answer.status !== 201) throw new Error(`No key: ${JSON.stringify(answer.body)}`);
  const key = String(at(answer.body, 'key'));
  return { id: String(at(answer.body, 'id')), key, program: userWith(api.url, key) };
}
