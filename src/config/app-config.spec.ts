import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { AppConfig, loadConfig } from './app-config.js';
import { VERSION } from './package-root.js';
import { ConfigError, parseSettings } from './parse-settings.js';
import { SETTINGS } from './settings.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const PRODUCTION = { NODE_ENV: 'production', JWT_SECRET: SECRET, ENCRYPTION_KEY: SECRET };

let folder: string;
let before: string;
let environment: NodeJS.ProcessEnv;

beforeEach(() => {
  before = process.cwd();
  environment = { ...process.env };
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'parley-config-')));
  process.chdir(folder);
  for (const name of Object.keys(SETTINGS)) Reflect.deleteProperty(process.env, name);
});

afterEach(() => {
  process.chdir(before);
  for (const name of Object.keys(SETTINGS)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, environment);
  rmSync(folder, { recursive: true });
});

describe('loadConfig', () => {
  test('returns the development defaults with the embedded database if nothing is set', () => {
    const config = loadConfig();
    expect(config).toMatchObject({
      version: VERSION,
      production: false,
      dataDir: join(folder, '.data'),
      http: { host: '127.0.0.1', port: 3000 },
      database: { url: undefined, poolMax: 10 },
      redisUrl: undefined,
      worker: 'inline',
      auth: { registration: 'open' },
      context: { maxTokens: 32_000, maxMessages: 200 },
      logLevel: 'info',
    });
    expect(config.auth.jwtSecret).toMatch(/^[\w-]{64}$/);
    expect(loadConfig().auth.jwtSecret).toBe(config.auth.jwtSecret);
  });

  test('reads .env in development, and environment variables take precedence over it', () => {
    writeFileSync(
      join(folder, '.env'),
      `PORT=4000\nHOST=0.0.0.0 # all\nJWT_SECRET="${SECRET}"\nENCRYPTION_KEY="${SECRET}"\n`,
    );
    process.env['PORT'] = '5000';
    const { http, auth } = loadConfig();
    expect(http).toEqual({
      host: '0.0.0.0',
      port: 5000,
      maxUploadMb: 32,
      shutdownDelayMs: 0,
      trustProxy: false,
      corsOrigins: undefined,
    });
    expect(auth.jwtSecret).toBe(SECRET);
    expect(existsSync(join(folder, '.data'))).toBe(false);
  });

  test('names an invalid variable of .env', () => {
    writeFileSync(join(folder, '.env'), 'PORT=many\n');
    expect(loadConfig).toThrow(ConfigError);
    expect(loadConfig).toThrow('PORT must be a whole number');
  });

  test('does not read .env in production', () => {
    writeFileSync(join(folder, '.env'), `PORT=4000\nJWT_SECRET=${SECRET}\n`);
    process.env['NODE_ENV'] = 'production';
    expect(loadConfig).toThrow('JWT_SECRET must be set in production');
    process.env['JWT_SECRET'] = SECRET;
    process.env['ENCRYPTION_KEY'] = SECRET;
    expect(loadConfig()).toMatchObject({ production: true, http: { port: 3000 } });
  });

  test('generates no secrets in production and closes registration there', () => {
    const config = new AppConfig(parseSettings(PRODUCTION));
    expect(config.auth).toEqual({
      jwtSecret: SECRET,
      previousJwtSecret: undefined,
      registration: 'closed',
    });
    expect(config.encryption).toEqual({ key: SECRET, previousKey: undefined });
    expect(existsSync(config.dataDir)).toBe(false);
    const open = parseSettings({ ...PRODUCTION, AUTH_REGISTRATION: 'open' });
    expect(new AppConfig(open).auth.registration).toBe('open');
  });
});
