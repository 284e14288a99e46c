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

/** Environment variables of an application. */
export type Settings = Readonly<Record<string, string>>;

/** The API of a test: the real application on a real socket, in this process, over a database of its own. */
export interface TestApi {
  readonly url: string;
  readonly database: TestDatabase;
  /** What the application logged, one JSON line each. */
  readonly log: readonly string[];
  /** The application itself, for what has no route. */
  readonly application: ApiApplication;
  /** Closes the application and drops the database. */
  close(): Promise<void>;
}

/** Settings of tests: as in production but for what a test has to know. */
const SETTINGS = {
  NODE_ENV: 'test',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'debug',
  DEMO_TOKENS_PER_SECOND: '100000',
  // No provider is asked for its list of models but where a test is about that.
  MODEL_CONTEXT_WINDOWS: '{"openai/*":1000000,"anthropic/*":1000000,"ollama/*":1000000}',
  ...UNLIMITED,
};

/**
 * Settings of an API that asks the fake provider where no model is named, and asks it once: what is scripted is one
 * failure each, and retries have their own tests.
 */
export function asking({ baseUrl }: FakeProvider): Settings {
  return { OPENAI_BASE_URL: baseUrl, DEFAULT_MODEL: 'openai/test-model', LLM_MAX_RETRIES: '0' };
}

/**
 * Starts the API with these environment variables over the defaults, which name Redis in a run with Redis. A spec
 * mostly wants `setUpApi`, which closes it, too.
 * @param database one that is already migrated, to go on with; it is not dropped then
 * @param clock clock of the application; the real one by default
 */
export async function startApi(
  environment: Settings = {},
  database?: TestDatabase,
  clock: Clock = new TestClock(),
): Promise<TestApi> {
  const dataDir = await mkdtemp(join(tmpdir(), 'parley-api-'));
  const own = database ?? (await createMigratedDatabase());
  const log: string[] = [];
  const config = new AppConfig(
    parseSettings({ ...SETTINGS, ...redisSettings(own), DATA_DIR: dataDir, ...environment }),
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
