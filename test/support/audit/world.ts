import { makeDataDir } from '../data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../database.js';
import { type FakeProvider, startFakeProvider } from '../fake-provider/fake-provider.js';
import { UNLIMITED } from '../limits.js';
import { redisKeyPrefix } from '../redis.js';
import { TcpProxy } from '../tcp-proxy.js';
import { Journal } from './journal.js';
import { type Kill, ProcessGroup, type ProcessOptions, waitUnlessAborted } from './process-group.js';
import type { Random } from './random.js';
import { scriptAnswers } from './scripted-answers.js';

/** A request for an answer, however often it was sent. */
export interface Asking {
  /** Its name in the journal: the unique text of a question. */
  readonly name: string;
  readonly key: string | undefined;
  /** Ids of the answers that the server returned for it; at most one with an Idempotency-Key. */
  readonly answers: Set<string>;
  /** True if a request was lost, so that only the server knows its outcome. */
  lost: boolean;
}

/** A question, including an edited one. */
export interface Question extends Asking {
  /** For an edited question: the message that it replaces. */
  readonly insteadOf: string | undefined;
}

/** A request to regenerate an answer. */
export interface Regeneration extends Asking {
  readonly questionId: string;
}

/** An answer that the server reported as ended, which must not change. */
export interface ReportedEnd {
  readonly answerId: string;
  readonly content: unknown;
  readonly status: unknown;
}

/** A store that a process may become disconnected from. */
export type Store = 'database' | 'redis';

/** A time in which a process could not reach a store, in milliseconds of this process. */
export interface Outage {
  readonly process: number;
  readonly store: Store;
  readonly from: number;
  readonly to: number;
}

/** Kind of disconnect: all connections break, once or for a while, or no data passes. */
type Cut = 'reset' | 'away' | 'hole';

/** The proxies of a process: one process may lose a store that another still reaches. */
type StoreProxies = Readonly<Partial<Record<Store, TcpProxy>>>;

/** Enough for any storm. */
const SCRIPTED_ANSWERS = 1500;

/** Interval of checks for the start of a process, in milliseconds. */
const LOOK_MS = 100;

/** Processes with their own database, two providers, and the data that their clients remember. */
export class World {
  readonly questions: Question[] = [];
  readonly regenerations: Regeneration[] = [];
  readonly reportedEnds: ReportedEnd[] = [];
  readonly outages: Outage[] = [];

  private constructor(
    readonly journal: Journal,
    readonly database: TestDatabase,
    /** True if every displayed text is in Redis. */
    readonly logged: boolean,
    /** All texts that a provider can return. */
    readonly texts: ReadonlySet<string>,
    private readonly providers: readonly FakeProvider[],
    private readonly dataDir: Awaited<ReturnType<typeof makeDataDir>>,
    private readonly processes: ProcessGroup,
    private readonly proxies: readonly StoreProxies[],
  ) {}

  static async create(random: Random, { processes, redisUrl }: ProcessOptions): Promise<World> {
    const texts = new Set<string>();
    const provider = async (name: string): Promise<FakeProvider> => {
      const fake = await startFakeProvider();
      const scripted = scriptAnswers(random.fork(), name, SCRIPTED_ANSWERS);
      fake.script(...scripted.behaviors);
      for (const text of scripted.texts) texts.add(text);
      return fake;
    };
    const first = await provider('first');
    const second = await provider('second');
    const database = await createMigratedDatabase();
    const dataDir = await makeDataDir();
    const environment = {
      ...UNLIMITED,
      HOST: '127.0.0.1',
      DATA_DIR: dataDir.path,
      JWT_SECRET: 'one secret for all processes of the audit',
      LOG_LEVEL: 'warn',
      LLM_HOSTS: JSON.stringify([
        { id: 'first', base_url: first.baseUrl, models: ['model'] },
        { id: 'second', base_url: second.baseUrl, models: ['model'] },
      ]),
      MODEL_ALIASES: JSON.stringify({ chain: ['first/model', 'second/model'] }),
      MODEL_PRICES: JSON.stringify({ 'first/model': { input: 10, output: 30 } }),
    };
    const members = await Promise.all(
      Array.from({ length: processes }, async () => {
        const toDatabase = await TcpProxy.start(database.url);
        const toRedis = redisUrl === undefined ? undefined : await TcpProxy.start(redisUrl);
        return {
          proxies: { database: toDatabase, ...(toRedis && { redis: toRedis }) },
          environment: {
            ...environment,
            DATABASE_URL: toDatabase.url,
            ...(toRedis && { REDIS_URL: toRedis.url, REDIS_KEY_PREFIX: redisKeyPrefix(database) }),
          },
        };
      }),
    );
    const journal = new Journal();
    const group = new ProcessGroup(
      journal,
      members.map((member) => member.environment),
    );
    const world = new World(
      journal,
      database,
      redisUrl !== undefined,
      texts,
      [first, second],
      dataDir,
      group,
      members.map((member) => member.proxies),
    );
    await group.start();
    return world;
  }

  get kills(): readonly Kill[] {
    return this.processes.kills;
  }

  /** Returns the URL of a process, possibly of one that has just died. */
  url(random: Random): string {
    return this.processes.url(random);
  }

  /** Kills processes at random, as `ProcessGroup.killAtRandom` does. */
  killAtRandom(random: Random, signal: AbortSignal): Promise<void> {
    return this.processes.killAtRandom(random, signal);
  }

  /**
   * Disconnects processes from their stores at random times until the signal aborts; all stores are connected
   * when it resolves.
   */
  async cutAtRandom(random: Random, signal: AbortSignal): Promise<void> {
    for (;;) {
      const process = random.whole(0, this.proxies.length - 1);
      // The storm must not be spent waiting for a process to start.
      while (!this.processes.isRunning(process) && !signal.aborted) await waitUnlessAborted(LOOK_MS, signal);
      await waitUnlessAborted(random.whole(200, 2500), signal);
      if (signal.aborted) return;
      if (!this.processes.isRunning(process)) continue;
      const store = this.logged && random.chance(0.4) ? 'redis' : 'database';
      const cut = random.pick<Cut>(['reset', 'away', 'hole']);
      const lastsMs = random.whole(300, cut === 'hole' ? 3000 : 2000);
      const proxy = this.proxies[process]?.[store];
      if (proxy === undefined) throw new Error(`The process has no proxy to its ${store}.`);
      this.journal.count(`cuts of the ${store} (${cut})`);
      const from = performance.now();
      if (cut === 'hole') proxy.swallow();
      else proxy.cut();
      if (cut !== 'reset') await waitUnlessAborted(lastsMs, signal);
      proxy.restore();
      proxy.resume();
      const to = performance.now();
      this.outages.push({ process, store, from, to });
    }
  }

  async close(): Promise<void> {
    await this.processes.close();
    await Promise.all(this.proxies.flatMap((stores) => Object.values(stores).map((proxy) => proxy.close())));
    await Promise.all(this.providers.map((provider) => provider.close()));
    await this.database.drop();
    await this.dataDir.remove();
  }
}
