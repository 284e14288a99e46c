import { makeDataDir } from '../data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../database.js';
import { type FakeProvider, startFakeProvider } from '../fake-provider/fake-provider.js';
import { redisKeyPrefix } from '../redis.js';
import { TcpProxy } from '../tcp-proxy.js';
import { Journal } from './journal.js';
import { AUDIT_SETTINGS, type Kill, ProcessGroup, type ProcessOptions } from './process-group.js';
import type { Random } from './random.js';
import { scriptAnswers } from './scripted-answers.js';
import { type Outage, StoreCuts } from './store-cuts.js';

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

/** Enough for any storm. */
const SCRIPTED_ANSWERS = 1500;

/** Processes with their own database, two providers, and the data that their clients remember. */
export class World {
  readonly questions: Question[] = [];
  readonly regenerations: Regeneration[] = [];
  readonly reportedEnds: ReportedEnd[] = [];

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
    private readonly cuts: StoreCuts,
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
      ...AUDIT_SETTINGS,
      DATA_DIR: dataDir.path,
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
    const group = new ProcessGroup(journal, members);
    const world = new World(
      journal,
      database,
      redisUrl !== undefined,
      texts,
      [first, second],
      dataDir,
      group,
      new StoreCuts(
        journal,
        group,
        members.map((member) => member.proxies),
      ),
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

  get outages(): readonly Outage[] {
    return this.cuts.outages;
  }

  /** Disconnects processes from their stores at random, as `StoreCuts.cutAtRandom` does. */
  cutAtRandom(random: Random, signal: AbortSignal): Promise<void> {
    return this.cuts.cutAtRandom(random, signal);
  }

  async close(): Promise<void> {
    await this.processes.close();
    await this.cuts.close();
    await Promise.all(this.providers.map((provider) => provider.close()));
    await this.database.drop();
    await this.dataDir.remove();
  }
}
