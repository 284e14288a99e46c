// Real components: the built command as a separate process, alongside a running API on the same PostgreSQL.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { PACKAGE_ROOT } from '../../../../src/config/index.js';
import { type ApiResponse, at, registerUser, send, userWith } from '../../../support/client.js';
import { COMPILE_CACHE } from '../../../support/server-process.js';
import { setUpApi, setUpUser } from '../../../support/set-up.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

const api = setUpApi({ JWT_SECRET: SECRET });

// The first account becomes an admin automatically.
setUpUser(api);

interface Run {
  readonly code: unknown;
  readonly output: string;
  readonly errors: string;
}

async function run(words: readonly string[], input = ''): Promise<Run> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [join(PACKAGE_ROOT, 'dist', 'admin.js'), ...words], {
    cwd: join(PACKAGE_ROOT, 'dist'),
    env: {
      PATH,
      HOME,
      NODE_ENV: 'production',
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      DATABASE_URL: api.database.url,
      JWT_SECRET: SECRET,
      ENCRYPTION_KEY: SECRET,
    },
  });
  child.stdin.end(input);
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<unknown[]>,
  ]);
  return { code, output, errors };
}

const newEmail = (): string => `user-${randomUUID()}@example.com`;

async function roleAfterLogin(email: string, password: string): Promise<unknown> {
  const session: ApiResponse = await send(`${api.url}/api/v1/auth/login`, {
    method: 'POST',
    body: { email, password },
  });
  const user = userWith(api.url, String(at(session.body, 'access_token')));
  return at((await user.request('GET', '/api/v1/users/me')).body, 'role');
}

describe('admin:create', () => {
  it('creates an admin and shows once a password that can log in', async () => {
    const email = newEmail();
    const { code, output } = await run([email]);
    expect(code).toBe(0);
    const password = /shown only once: (\S{24})$/m.exec(output)?.[1] ?? '';
    expect(await roleAfterLogin(email, password)).toBe('admin');
  });

  it('reads the password from standard input and does not print it', async () => {
    const email = newEmail();
    const { code, output, errors } = await run([email, '--password-stdin'], 'my own password\n');
    expect(code).toBe(0);
    expect(output + errors).not.toContain('my own password');
    expect(await roleAfterLogin(email, 'my own password')).toBe('admin');
  });

  it('makes an existing account an admin without changing its password', async () => {
    const user = await registerUser(api.url);
    const { code, output } = await run([user.email.toUpperCase()]);
    expect(code).toBe(0);
    expect(output).toContain('The password is unchanged.');
    expect(await roleAfterLogin(user.email, 'a long password')).toBe('admin');
  });

  it.each([
    ['a missing address', [], '', 'Usage: npm run admin:create'],
    ['an unknown option', ['a@example.com', '--force'], '', 'Usage: npm run admin:create'],
    ['an invalid address', ['nonsense'], '', '"nonsense" is not an email address.'],
    [
      'a short password',
      ['a@example.com', '--password-stdin'],
      'short',
      'The password must have 8 to 128 characters.',
    ],
  ])('exits with a one-line error for %s', async (_what, words, input, sentence) => {
    const { code, errors } = await run(words, input);
    expect(code).toBe(1);
    expect(errors).toContain(sentence);
    expect(errors).not.toContain(' at ');
  });
});
