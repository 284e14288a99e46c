import { ITEM_LEASE_SECONDS } from '../../../src/features/batches/rows/item-claim.repository.js';
import { STAGE_LEASE_SECONDS } from '../../../src/features/batches/rows/stage.repository.js';
import { makeDataDir } from '../data-dir.js';
import { createMigratedDatabase } from '../database.js';
import { HAS_REDIS_SERVER, RedisServer } from '../redis-server.js';
import { redisKeyPrefix } from '../redis.js';
import { query } from '../stored.js';
import { TcpProxy } from '../tcp-proxy.js';
import { BatchProvider } from './batch-provider.js';
import { Journal } from './journal.js';
import { AUDIT_SETTINGS, type MemberSettings, ProcessGroup, type ProcessOptions } from './process-group.js';
import type { Random } from './random.js';
import { StoreCuts } from './store-cuts.js';

/** Models of the providers: calls of the first one have a price. */
export const BATCH_MODELS = ['first/model', 'second/model'] as const;

/** Model that no provider has. */
export const UNKNOWN_MODEL = 'nobody/nothing';

/** Number of requests of batches that a process sends at once. */
export const BATCH_SLOTS = 4;

/** Further arguments of the Redis server: a value that is not compressed shows whether it contains a text. */
export const REDIS_SETTINGS = ['--rdbcompression', 'no'] as const;

/** Interval at which a process renews its leases, with time for the renewal, in milliseconds. */
export const RENEWAL_MS = 7_000;

/**
 * Remembers each claim of an item, and each claim that ended without a result: `expired` if its lease had run out,
 * otherwise `released`, after a failure or by a process that stopped.
 */
const RUN_LOG = `
  CREATE TABLE public.batch_run_log (batch_id uuid, line int, event text);
  CREATE FUNCTION public.log_batch_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.batch_run_log VALUES (NEW.batch_id, NEW.line, CASE
      WHEN NEW.status = 'running' THEN 'claimed' WHEN OLD.lease_until <= now() THEN 'expired' ELSE 'released' END);
    RETURN NULL;
  END $$;
  CREATE TRIGGER log_batch_run AFTER UPDATE OF status ON batch_items FOR EACH ROW
    WHEN (NEW.status = 'running' OR (OLD.status = 'running' AND NEW.status = 'waiting'))
    EXECUTE FUNCTION public.log_batch_run()`;

/** Settings of a run. */
export interface BatchWorldOptions extends ProcessOptions {
  /** URL of a PostgreSQL server of the run itself; by default a database on the server of the test run is used. */
  readonly databaseUrl?: string | undefined;
  /** False if no request to a provider fails, and no process is cut off from a store. */
  readonly isStormy?: boolean;
}

/** Processes with their own database, providers and Redis server. */
export class BatchWorld {
  private constructor(
    /** Decisions of the audit after the storm. */
    readonly random: Random,
    readonly journal: Journal,
    readonly database: { readonly url: string; drop(): Promise<void> },
    readonly dataDir: Awaited<ReturnType<typeof makeDataDir>>,
    readonly providers: readonly BatchProvider[],
    /** The Redis server of this run; undefined without Redis, and where there is none that may be killed. */
    readonly redis: RedisServer | undefined,
    readonly processes: ProcessGroup,
    readonly cuts: StoreCuts,
  ) {}

  /** With Redis there are an API and two workers, and otherwise one process that does everything. */
  static async create(random: Random, options: BatchWorldOptions): Promise<BatchWorld> {
    const { databaseUrl, isStormy = true } = options;
    const isSeparate = options.processes > 1;
    const redis = isSeparate && HAS_REDIS_SERVER ? await RedisServer.reserve() : undefined;
    await redis?.start(...REDIS_SETTINGS);
    const redisUrl = isSeparate ? (redis?.url ?? options.redisUrl) : undefined;
    const providers = [
      await BatchProvider.start(isStormy ? random.fork() : undefined),
      await BatchProvider.start(isStormy ? random.fork() : undefined),
    ];
    const database =
      databaseUrl === undefined
        ? await createMigratedDatabase()
        : { name: 'parley', url: databaseUrl, drop: () => Promise.resolve() };
    const dataDir = await makeDataDir();
    const environment = {
      ...AUDIT_SETTINGS,
      DATA_DIR: dataDir.path,
      LLM_HOSTS: JSON.stringify(
        providers.map(({ fake }, index) => ({
          id: index === 0 ? 'first' : 'second',
          base_url: fake.baseUrl,
          models: ['model'],
        })),
      ),
      MODEL_PRICES: JSON.stringify({ 'first/model': { input: 10, output: 30 } }),
      LLM_MAX_RETRIES: random.pick(['1', '2']),
      BATCH_CONCURRENCY: String(BATCH_SLOTS),
    };
    const connect = async (url: string): Promise<TcpProxy | undefined> =>
      isStormy ? TcpProxy.start(url) : undefined;
    const members = await Promise.all(
      (isSeparate ? (['main.js', 'worker.js', 'worker.js'] as const) : (['main.js'] as const)).map(
        async (script) => {
          const toDatabase = await connect(database.url);
          const toRedis = redisUrl === undefined ? undefined : await connect(redisUrl);
          const settings: MemberSettings = {
            script,
            environment: {
              ...environment,
              DATABASE_URL: toDatabase?.url ?? database.url,
              ...(redisUrl !== undefined && {
                REDIS_URL: toRedis?.url ?? redisUrl,
                REDIS_KEY_PREFIX: redisKeyPrefix(database),
                WORKER: 'separate',
              }),
            },
          };
          const proxies = { ...(toDatabase && { database: toDatabase }), ...(toRedis && { redis: toRedis }) };
          return { settings, proxies };
        },
      ),
    );
    const journal = new Journal();
    // The only process had all leases: they need not expire in their own time.
    const afterKill = async (): Promise<void> => {
      if (!isSeparate && isStormy) await expireBatchLeases(database, performance.now());
    };
    const group = new ProcessGroup(
      journal,
      members.map(({ settings }) => settings),
      afterKill,
    );
    const cuts = new StoreCuts(
      journal,
      group,
      members.map(({ proxies }) => proxies),
    );
    const world = new BatchWorld(random.fork(), journal, database, dataDir, providers, redis, group, cuts);
    await group.start();
    await query(database, RUN_LOG);
    return world;
  }

  /** Ends the leases that were not renewed since a time, in milliseconds of this process, as the time itself does. */
  expireLeases(since: number): Promise<void> {
    return expireBatchLeases(this.database, since);
  }

  async close(): Promise<void> {
    await this.processes.close();
    await this.cuts.close();
    await Promise.all(this.providers.map(({ fake }) => fake.close()));
    await this.redis?.stop();
    await this.database.drop();
    await this.dataDir.remove();
  }
}

async function expireBatchLeases(database: { readonly url: string }, since: number): Promise<void> {
  const moment = new Date(performance.timeOrigin + since);
  await query(
    database,
    `UPDATE batch_items SET lease_until = now() - interval '1 millisecond'
     WHERE lease_until < $1::timestamptz + make_interval(secs => $2)`,
    [moment, ITEM_LEASE_SECONDS],
  );
  await query(
    database,
    `UPDATE batches SET due_at = now()
     WHERE lease_id IS NOT NULL AND due_at < $1::timestamptz + make_interval(secs => $2)`,
    [moment, STAGE_LEASE_SECONDS],
  );
}
