// Real components: the API on a socket, PostgreSQL, and the migrations of this version.
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PACKAGE_ROOT } from '../../../../src/config/index.js';
import { hashPassword } from '../../../../src/features/users/index.js';
import { applyMigrations } from '../../../../src/infra/database/migrations.js';
import { startApi, type TestApi } from '../../../support/api.js';
import { type ApiResponse, at, registerUser, send } from '../../../support/client.js';
import { createTestDatabase } from '../../../support/database.js';
import { makeTemporaryDirectory } from '../../../support/embedded-database.js';
import { query } from '../../../support/stored.js';

const PASSWORD = 'a long password';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});

afterAll(async () => {
  await api.close();
});

const post = (path: string, email: string, password = PASSWORD, url = api.url): Promise<ApiResponse> =>
  send(`${url}/api/v1/auth/${path}`, { method: 'POST', body: { email, password } });

/** Converts a word to full-width letters. */
const wide = (word: string): string =>
  word.replaceAll(/[!-~]/g, (character) => String.fromCodePoint((character.codePointAt(0) ?? 0) + 0xfee0));

const name = (): string => `u${randomUUID().slice(0, 8)}`;

describe('an email address in full-width characters', () => {
  it('counts as the same address: it cannot be registered again, and can log in', async () => {
    const user = name();
    expect((await post('register', `${user}@example.com`)).status).toBe(201);
    const double = `${wide(user)}@example.com`;
    expect(at((await post('register', double)).body, 'error', 'code')).toBe('email_taken');
    expect((await post('login', double)).status).toBe(200);
  });

  it('is registered once if several forms arrive at once', async () => {
    const user = name();
    const forms = [user, wide(user), user.toUpperCase(), wide(user.toUpperCase())];
    const answers = await Promise.all(
      [...forms, ...forms].map((form) => post('register', `${form}@example.com`)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([
      201,
      ...Array.from({ length: 7 }, () => 409),
    ]);
  });

  it('cannot be taken by changing another account’s address', async () => {
    const taken = name();
    await post('register', `${taken}@example.com`);
    const user = await registerUser(api.url);
    const change = { email: `${wide(taken)}@example.com`, current_password: PASSWORD };
    const answer = await user.request('PATCH', '/api/v1/users/me', change);
    expect(at(answer.body, 'error', 'code')).toBe('email_taken');
  });

  it('is returned and stored normalized', async () => {
    const user = name();
    const answer = await post('register', `${wide(user)}@Example.com`);
    const token = String(at(answer.body, 'access_token'));
    const me = await send(`${api.url}/api/v1/users/me`, { headers: { authorization: `Bearer ${token}` } });
    expect(at(me.body, 'email')).toBe(`${user}@example.com`);
  });

  it('does not circumvent the limit on wrong passwords', async () => {
    const user = name();
    await post('register', `${user}@example.com`);
    for (let tries = 0; tries < 10; tries += 1) {
      const form = tries % 2 === 0 ? user : wide(user);
      await post('login', `${form}@example.com`, 'not the password');
    }
    // The tenth attempt caused a delay for the next one, in any form.
    expect((await post('login', `${wide(user)}@example.com`, 'not the password')).status).toBe(429);
  });

  it('is refused if its normalized form is not an address', async () => {
    const answer = await post('register', `${name()}\u00a8@example.com`);
    expect([answer.status, at(answer.body, 'error', 'param')]).toEqual([400, 'email']);
  });
});

it('the migration normalizes addresses, reports conflicts, and lets every account log in as before', async () => {
  const database = await createTestDatabase();
  const directory = makeTemporaryDirectory();
  const own = join(PACKAGE_ROOT, 'prisma', 'migrations');
  try {
    for (const folder of readdirSync(own, { withFileTypes: true })) {
      if (!folder.isDirectory() || folder.name >= '20261128051559') continue;
      mkdirSync(join(directory.path, folder.name));
      cpSync(join(own, folder.name), join(directory.path, folder.name), { recursive: true });
    }
    const connectionString = database.url;
    await applyMigrations({ connectionString, directory: directory.path, report: () => undefined });
    const accounts = {
      plain: 'ada@example.com',
      double: `${wide('ada')}@example.com`,
      alone: `${wide('bob')}@example.com`,
      oldest: `${wide('eve')}@example.com`,
      younger: `ｅve@example.com`,
      composed: 'ze\u0301@example.com',
      capital: '\u1d2dx@example.com',
    };
    const ids: Record<string, string> = {};
    const hash = await hashPassword(PASSWORD);
    for (const [index, [who, email]] of Object.entries(accounts).entries()) {
      ids[who] = randomUUID();
      await query(
        database,
        `INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, $2, $3, now() + make_interval(secs => $4))`,
        [ids[who], email, hash, index],
      );
    }
    const lines: string[] = [];
    await applyMigrations({ connectionString, directory: own, report: (line) => lines.push(line) });
    const rows = await query(database, 'SELECT id, email FROM users ORDER BY created_at');
    expect(rows.map(({ email }) => email)).toEqual([
      'ada@example.com',
      accounts.double,
      'bob@example.com',
      'eve@example.com',
      accounts.younger,
      'z\u00e9@example.com',
      accounts.capital,
    ]);
    const warnings = lines.filter((line) => line.startsWith('Warning: '));
    expect(warnings).toHaveLength(2);
    for (const [loser, owner] of [
      ['double', 'plain'],
      ['younger', 'oldest'],
    ] as const)
      expect(warnings.join('\n')).toContain(
        `Account ${ids[loser] ?? ''} has the same email address as account ${ids[owner] ?? ''}`,
      );
    // The start-up log must not contain addresses.
    expect(warnings.join('\n')).not.toContain('@');

    const migrated = await startApi({}, database);
    try {
      for (const [who, email] of Object.entries(accounts)) {
        const { status, body } = await post('login', email, PASSWORD, migrated.url);
        expect([who, status]).toEqual([who, 200]);
        const authorization = `Bearer ${String(at(body, 'access_token'))}`;
        const me = await send(`${migrated.url}/api/v1/users/me`, { headers: { authorization } });
        expect([who, at(me.body, 'id')]).toEqual([who, ids[who]]);
      }
      const again = await post('register', accounts.double, PASSWORD, migrated.url);
      expect(at(again.body, 'error', 'code')).toBe('email_taken');
    } finally {
      await migrated.close();
    }
  } finally {
    await database.drop();
    await directory.remove();
  }
});
