import { describe, expect, test } from '@jest/globals';
import { ConfigError, parseSettings } from './parse-settings.js';
import type { Setting } from './setting.js';
import { SETTINGS } from './settings.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

/** Returns the problems of an environment, one line for each variable. */
function problemsOf(environment: Record<string, string>): string[] {
  try {
    parseSettings(environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

test('without an environment every setting has its default', () => {
  const defaults = Object.fromEntries(
    Object.entries(SETTINGS).map(([name, { fallback }]) => [name, fallback]),
  );
  expect(parseSettings({})).toEqual(defaults);
  expect(parseSettings({})).toMatchObject({ HOST: '127.0.0.1', PORT: 3000, NODE_ENV: 'development' });
});

test('every setting of the table is parsed, and nothing else', () => {
  expect(Object.keys(parseSettings({ PATH: '/bin', COLOUR: 'red' })).sort()).toEqual(
    Object.keys(SETTINGS).sort(),
  );
});

test('a variable that is empty or white space counts as not set', () => {
  const empty = Object.fromEntries(
    Object.keys(SETTINGS).map((name, index) => [name, index % 2 ? '' : ' \t']),
  );
  expect(parseSettings(empty)).toEqual(parseSettings({}));
});

describe('a valid value is accepted:', () => {
  test.each<[keyof typeof SETTINGS, string, unknown]>([
    ['PORT', '0', 0],
    ['PORT', '65535', 65535],
    ['PORT', ' 8080\n', 8080],
    ['HOST', '0.0.0.0', '0.0.0.0'],
    [
      'DATABASE_URL',
      'postgresql://u:p@host:5432/db?sslmode=require',
      'postgresql://u:p@host:5432/db?sslmode=require',
    ],
    ['DATABASE_URL', 'postgres://host/db', 'postgres://host/db'],
    ['REDIS_URL', 'rediss://:p@host:6380/1', 'rediss://:p@host:6380/1'],
    ['OPENAI_BASE_URL', 'http://127.0.0.1:8000/v1', 'http://127.0.0.1:8000/v1'],
    ['LOG_LEVEL', 'silent', 'silent'],
    ['AUTH_REGISTRATION', 'closed', 'closed'],
    ['JWT_SECRET', SECRET, SECRET],
    ['JWT_SECRET', 'x'.repeat(32), 'x'.repeat(32)],
    ['OPENAI_API_KEY', 'k', 'k'],
    ['LLM_TOTAL_TIMEOUT_MS', '2147483647', 2_147_483_647],
  ])('%s=%j', (name, given, expected) => {
    expect(parseSettings({ [name]: given })[name]).toBe(expected);
  });
});

test('a renamed setting is still read from its former name', () => {
  expect(parseSettings({ MODEL_WINDOWS: '{"ollama/*":32768}' }).MODEL_CONTEXT_WINDOWS).toEqual({
    'ollama/*': 32_768,
  });
});

test('an invalid value of a renamed setting is reported under the name that was set', () => {
  expect(problemsOf({ MODEL_WINDOWS: '32768' })).toEqual([
    expect.stringMatching(/^MODEL_WINDOWS must be a JSON object .*; it is "32768"\.$/),
  ]);
});

test('a renamed setting that is set under both names is rejected', () => {
  expect(problemsOf({ MODEL_WINDOWS: '{}', MODEL_CONTEXT_WINDOWS: '{}' })).toEqual([
    'MODEL_WINDOWS is the former name of MODEL_CONTEXT_WINDOWS: set MODEL_CONTEXT_WINDOWS only.',
  ]);
});

test('an empty former name does not conflict with the new one', () => {
  const values = parseSettings({ MODEL_WINDOWS: ' ', MODEL_CONTEXT_WINDOWS: '{"ollama/*":32768}' });
  expect(values.MODEL_CONTEXT_WINDOWS).toEqual({ 'ollama/*': 32_768 });
});

test('no former name is also the name of a setting', () => {
  const former = Object.values<Setting<unknown>>(SETTINGS).flatMap(({ formerly }) => formerly ?? []);
  expect(former.filter((name) => name in SETTINGS)).toEqual([]);
});

describe('an invalid value is rejected with the name and the accepted values:', () => {
  test.each([
    ['PORT', '65536', 'PORT must be a whole number from 0 to 65535; it is "65536".'],
    ['PORT', '-1', 'PORT must be a whole number from 0 to 65535; it is "-1".'],
    ['PORT', '1.5', 'PORT must be a whole number from 0 to 65535; it is "1.5".'],
    ['PORT', '3e3', 'PORT must be a whole number from 0 to 65535; it is "3e3".'],
    ['PORT', '0x50', 'PORT must be a whole number from 0 to 65535; it is "0x50".'],
    ['PORT', 'http', 'PORT must be a whole number from 0 to 65535; it is "http".'],
    ['DATABASE_POOL_MAX', '0', 'DATABASE_POOL_MAX must be a whole number from 1 to 1000; it is "0".'],
    [
      'LLM_IDLE_TIMEOUT_MS',
      '2147483648',
      'LLM_IDLE_TIMEOUT_MS must be a whole number from 1 to 2147483647; it is "2147483648".',
    ],
    ['NODE_ENV', 'prod', 'NODE_ENV must be one of development, production, test; it is "prod".'],
    [
      'LOG_LEVEL',
      'INFO',
      'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent; it is "INFO".',
    ],
    ['AUTH_REGISTRATION', 'yes', 'AUTH_REGISTRATION must be one of open, closed; it is "yes".'],
    ['WORKER', 'none', 'WORKER must be one of inline, separate; it is "none".'],
    [
      'DATABASE_URL',
      'localhost:5432/db',
      'DATABASE_URL must be a URL that begins with postgresql:// or postgres://.',
    ],
    [
      'DATABASE_URL',
      'mysql://host/db',
      'DATABASE_URL must be a URL that begins with postgresql:// or postgres://.',
    ],
    ['REDIS_URL', 'localhost', 'REDIS_URL must be a URL that begins with redis:// or rediss://.'],
    [
      'OPENAI_BASE_URL',
      'api.openai.com/v1',
      'OPENAI_BASE_URL must be a URL that begins with http:// or https://.',
    ],
    ['JWT_SECRET', 'x'.repeat(31), 'JWT_SECRET must be at least 32 characters.'],
    [
      'CORS_ORIGINS',
      'https://app.example.com/',
      'CORS_ORIGINS must be * or a comma-separated list of origins such as https://app.example.com, without a path, trailing slash or default port; it is "https://app.example.com/".',
    ],
  ])('%s=%s', (name, given, expected) => {
    expect(problemsOf({ [name]: given })).toEqual([expected]);
  });
});

test('all invalid variables are reported at once, each only once', () => {
  const problems = problemsOf({
    NODE_ENV: 'production',
    PORT: 'x',
    LOG_LEVEL: 'loud',
    JWT_SECRET: 'short',
    WORKER: 'separate',
    REDIS_URL: 'nowhere',
  });
  expect(problems.map((line) => line.split(' ', 1)[0])).toEqual([
    'PORT',
    'REDIS_URL',
    'JWT_SECRET',
    'LOG_LEVEL',
    'ENCRYPTION_KEY',
  ]);
});

test('an error never repeats secrets or URLs, which may contain passwords', () => {
  const problems = problemsOf({
    JWT_SECRET: 'hunter2',
    DATABASE_URL: 'mysql://me:hunter2@host/db',
    REDIS_URL: 'http://:hunter2@host',
    OPENAI_BASE_URL: 'ftp://hunter2@host',
  });
  expect(problems).toHaveLength(4);
  expect(problems.join('\n')).not.toContain('hunter2');
  expect(
    problemsOf({ NODE_ENV: 'production', JWT_SECRET: 'hunter2-change-me-0123456789-abcdefg' }).join(),
  ).not.toContain('hunter2');
});

test('quotas are whole tokens and dollars to the cent, and undefined if not set', () => {
  const none = parseSettings({});
  expect([none.QUOTA_TOKENS_DAY, none.QUOTA_COST_MONTH_USD, none.TRUST_PROXY]).toEqual([
    undefined,
    undefined,
    false,
  ]);
  const set = parseSettings({ QUOTA_TOKENS_DAY: '5', QUOTA_COST_MONTH_USD: '12.50', TRUST_PROXY: '1' });
  expect([set.QUOTA_TOKENS_DAY, set.QUOTA_COST_MONTH_USD, set.TRUST_PROXY]).toEqual([5, 12.5, 1]);
  expect(
    problemsOf({
      QUOTA_TOKENS_DAY: '0',
      QUOTA_COST_MONTH_USD: '1.005',
      TRUST_PROXY: 'true',
      RATE_LIMIT_RPM: '0',
    }).map((line) => line.split(' ', 1)[0]),
  ).toEqual(['RATE_LIMIT_RPM', 'QUOTA_TOKENS_DAY', 'QUOTA_COST_MONTH_USD', 'TRUST_PROXY']);
});

describe('parseSettings rejects', () => {
  test('several API processes without a database and a Redis that they can share', () => {
    expect(problemsOf({ WEB_CONCURRENCY: '2' })).toEqual([
      'WEB_CONCURRENCY above 1 requires DATABASE_URL: several processes share PostgreSQL and Redis, not what one process runs.',
      'WEB_CONCURRENCY above 1 requires REDIS_URL: several processes share PostgreSQL and Redis, not what one process runs.',
    ]);
    const shared = { DATABASE_URL: 'postgresql://host/parley', REDIS_URL: 'redis://host' };
    expect(problemsOf({ WEB_CONCURRENCY: '2', ...shared })).toEqual([]);
  });

  test('separate workers without Redis', () => {
    expect(problemsOf({ WORKER: 'separate' })).toEqual([
      'WORKER=separate requires REDIS_URL: without Redis, exactly one process serves the API and runs the jobs.',
    ]);
    expect(problemsOf({ WORKER: 'separate', REDIS_URL: 'redis://host' })).toEqual([]);
  });

  test('production without secrets', () => {
    expect(problemsOf({ NODE_ENV: 'production' })).toEqual([
      'JWT_SECRET must be set in production, to at least 32 random characters.',
      'ENCRYPTION_KEY must be set in production, to at least 32 random characters.',
    ]);
    expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: '  ', ENCRYPTION_KEY: SECRET })).toHaveLength(1);
    expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: SECRET, ENCRYPTION_KEY: SECRET })).toEqual([]);
  });

  test.each([
    'change-me-change-me-change-me-change-me',
    'CHANGEME0123456789abcdefghijklmnop',
    'this-is-a-placeholder-0123456789abc',
    'your_secret_goes_here_0123456789abc',
    'example-0123456789-abcdefghijklmnop',
    'my-secret-key-0123456789-abcdefghij',
    'x'.repeat(64),
    'abcabcabcabcabcabcabcabcabcabcabcabc',
  ])('production with the placeholder %s', (placeholder) => {
    const given = { JWT_SECRET: placeholder, ENCRYPTION_KEY: placeholder };
    expect(problemsOf({ NODE_ENV: 'production', ...given })).toEqual([
      'JWT_SECRET is a placeholder; in production it must be at least 32 random characters.',
      'ENCRYPTION_KEY is a placeholder; in production it must be at least 32 random characters.',
    ]);
    expect(problemsOf(given)).toEqual([]);
  });
});
