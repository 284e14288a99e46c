import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiApplication } from '../../src/app/api.application.js';
import type { Clock } from '../../src/common/clock.js';
import { AppConfig, parseSettings } from '../../src/config/index.js';
import { createLogger } from '../../src/infra/telemetry/index.js';
import { TestClock } from './clock.js';
import { createMigratedDatabase, type TestDatabase } from './database.js';
import type { FakeProvider } from './fake-provider/fake-provider.js';
import { UNLIMITED } from './limits.js';
import { redisSettings } from './redis.js';
import { createTestBucket } from './s3-server.js';

/** Environment variables of an application. */
export type Settings = Readonly<Record<string, string>>;

/** The API of a test: the real application on a real socket, in this process, with its own database. */
export interface TestApi {
  readonly url: string;
  readonly database: TestDatabase;
  /** The log lines of the application, as JSON. */
  readonly log: readonly string[];
  /** The application itself, for operations without a route. */
  readonly application: ApiApplication;
  /** Closes the application and drops the database. */
  close(): Promise<void>;
}

/** Settings of tests, which differ from production only as tests require. */
const SETTINGS = {
  NODE_ENV: 'test',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'debug',
  DEMO_TOKENS_PER_SECOND: '100000',
  WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8,::1',
  // Prevents requests for model lists, except in tests about them.
  MODEL_CONTEXT_WINDOWS: '{"openai/*":1000000,"anthropic/*":1000000,"ollama/*":1000000}',
  ...UNLIMITED,
};

/**
 * Returns settings of an API that uses the fake provider by default and without retries: a scripted failure
 * is one failure, and retries have their own tests.
 */
export function asking({ baseUrl }: FakeProvider): Settings {
  return { OPENAI_BASE_URL: baseUrl, DEFAULT_MODEL: 'openai/test-model', LLM_MAX_RETRIES: '0' };
}

/** The settings of the buckets of databases, which the applications that share a database share. */
const buckets = new WeakMap<TestDatabase, Promise<Settings>>();

/** Returns the settings of a bucket for the files of a database in a run with buckets, otherwise none. */
async function bucketSettings(database: TestDatabase): Promise<Settings> {
  if (process.env['TEST_FILE_STORE'] !== 's3') return {};
  const bucket =
    buckets.get(database) ??
    createTestBucket().then(({ client, settings }) => {
      client.destroy();
      return settings;
    });
  buckets.set(database, bucket);
  return bucket;
}

/**
 * Starts the API with these environment variables over the defaults, which include Redis in a run with Redis, and a bucket
 * in a run with buckets, unless they name a folder.
 * Most specs should use `setUpApi`, which also closes it.
 * @param database a migrated database to use, which is not dropped
 * @param clock clock of the application; real time by default
 */
export async function startApi(
  environment: Settings = {},
  database?: TestDatabase,
  clock: Clock = new TestClock(),
): Promise<TestApi> {
  const dataDir = await mkdtemp(join(tmpdir(), 'parley-api-'));
  const own = database ?? (await createMigratedDatabase());
  const log: string[] = [];
  const files = 'DATA_DIR' in environment ? {} : await bucketSettings(own);
  const config = new AppConfig(
    parseSettings({ ...SETTINGS, ...redisSettings(own), ...files, DATA_DIR: dataDir, ...environment }),
  );
  const destination = { write: (line: string) => void log.push(line) };
  const logger = createLogger({ level: config.logLevel, readable: false, destination });
  const api = await ApiApplication.create({ config, logger, connectionString: own.url, clock });
  const url = await api.listen(0, '127.0.0.1');
  return {
    url,
    database: own,
    log,
    application: api,
    close: async () => {
      await api.close();
      await rm(dataDir, { recursive: true });
      if (database === undefined) await own.drop();
    },
  };
}
