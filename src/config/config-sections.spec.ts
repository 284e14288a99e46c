import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigService } from '@nestjs/config';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { AppConfig } from './app-config.js';
import * as exported from './config-sections.js';
import { parseSettings } from './parse-settings.js';

const { configModule, ...sections } = exported;

/** Part of every secret below. */
const SECRET = 'secret-Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

const config = new AppConfig(
  parseSettings({
    JWT_SECRET: `${SECRET}-1`,
    JWT_SECRET_PREVIOUS: `${SECRET}-2`,
    ENCRYPTION_KEY: `${SECRET}-3`,
    ENCRYPTION_KEY_PREVIOUS: `${SECRET}-4`,
    OPENAI_API_KEY: `${SECRET}-5`,
    ANTHROPIC_API_KEY: `${SECRET}-6`,
    DATABASE_URL: `postgresql://user:${SECRET}@127.0.0.1/parley`,
    REDIS_URL: `redis://:${SECRET}@127.0.0.1`,
    LLM_HOSTS: JSON.stringify([
      { id: 'vllm', base_url: 'http://127.0.0.1:1/v1', api_key: SECRET, first_token_timeout_ms: 1234 },
      { id: 'llama', base_url: 'http://127.0.0.1:2/v1' },
    ]),
    RATE_LIMIT_RPM: '17',
  }),
);

let folder: string;
let before: string;
let module: TestingModule;

beforeEach(async () => {
  before = process.cwd();
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'parley-sections-')));
  process.chdir(folder);
  writeFileSync('.env', 'PARLEY_PLANTED=in-the-file\n');
  module = await Test.createTestingModule({ imports: [configModule(config)] }).compile();
});

afterEach(async () => {
  await module.close();
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

describe('the sections of the configuration', () => {
  test('are injected with the values that were parsed', () => {
    expect(module.get(sections.limitsConfig.KEY)).toMatchObject({ requestsPerMinute: 17 });
    expect(module.get(sections.llmConfig.KEY)).toMatchObject({
      hostFirstTokenMs: new Map([
        ['vllm', 1234],
        ['llama', undefined],
      ]),
    });
    for (const section of Object.values(sections)) expect(module.get(section.KEY)).toEqual(section(config));
  });

  test('hold secrets only if they are there for secrets', () => {
    const secretive = Object.values(sections)
      .filter((section) => JSON.stringify(section(config)).includes('secret'))
      .map(({ namespace }) => namespace);
    expect(secretive).toEqual(['accessTokens', 'encryption', 'providers']);
  });

  test('come without the environment, which is neither read nor changed', () => {
    expect(process.env['PARLEY_PLANTED']).toBeUndefined();
    const service = module.get(ConfigService);
    expect(service.get('PARLEY_PLANTED')).toBeUndefined();
    expect(service.get('PATH')).toBeUndefined();
  });
});
