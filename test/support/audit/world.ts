import { setTimeout as delay } from 'node:timers/promises';
import { makeDataDir } from '../data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../database.js';
import { type FakeProvider, startFakeProvider } from '../fake-provider/fake-provider.js';
import { UNLIMITED } from '../limits.js';
import { redisKeyPrefix } from '../redis.js';
import { type ServerProcess, startServer } from '../server-process.js';
import { TcpProxy } from '../tcp-proxy.js';
import { Journal } from './journal.js';
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

/** The time at which a process was killed, in milliseconds of this process. */
export interface Kill {
  readonly process: number;
  readonly at: number;
}

/** Kind of disconnect: all connections break, once or for a while, or no data passes. */
type Cut = 'reset' | 'away' | 'hole';

/** A process of the run with its own proxies: one process may lose a store that another still reaches. */
interface Member {
  readonly proxies: Readonly<Partial<Record<Store, TcpProxy>>>;
  readonly environment: Readonly<Record<string, string>>;
  process: ServerProcess | undefined;
  url: string;
}

/** The processes of a run. */
export interface WorldOptions {
  readonly processes: number;
  /** With a Redis URL the processes share that Redis; without it there is one process. */
  readonly redisUrl?: string | undefined;
}

/** Enough for any storm. */
const SCRIPTED_ANSWERS = 1500;

/** Interval of checks for the start of a process, in milliseconds. */
const LOOK_MS = 100;

/** Maximum starts of a process whose database disconnects during the start, as by a process manager. */
const STARTS = 5;

/** Processes with their own database, two providers, and the data that their clients remember. */
export class World {
  readonly journal = new Journal();
  readonly questions: Question[] = [];
  readonly regenerations: Regeneration[] = [];
  readonly reportedEnds: ReportedEnd[] = [];
  readonly kills: Kill[] = [];
  readonly outages: Outage[] = [];
  #closing = false;

  private constructor(
    readonly database: TestDatabase,
    /** True if every displayed text is in Redis. */
    readonly logged: boolean,
    /** All texts that a provider can return. */
    readonly texts: ReadonlySet<string>,
    private readonly providers: readonly FakeProvider[],
    private readonly dataDir: Awaited<ReturnType<typeof makeDataDir>>,
    private readonly members: readonly Member[],
  ) {}

  static async create(random: Random, { processes, redisUrl }: WorldOptions): Promise<World> {
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
      Array.from({ length: processes }, async (): Promise<Member> => {
        const toDatabase = await TcpProxy.start(database.url);
        const toRedis = redisUrl === undefined ? undefined : await TcpProxy.start(redisUrl);
        return {
          proxies: { database: toDatabase, ...(toRedis && { redis: toRedis }) },
          environment: {
            ...environment,
            DATABASE_URL: toDatabase.url,
            ...(toRedis && { REDIS_URL: toRedis.url, REDIS_KEY_PREFIX: redisKeyPrefix(database) }),
          },
          process: undefined,
          url: '',
        };
      }),
    );
    const world = new World(database, redisUrl !== undefined, texts, [first, second], dataDir, members);
    await Promise.all(members.map((member) => world.#start(member)));
    return world;
  }

  /** Returns the URL of a process, possibly of one that has just died. */
  url(random: Random): string {
    return random.pick(this.members).url;
  }

  /**
   * Kills processes at random times and restarts them until the signal aborts; all of them run when it
   * resolves.
   */
  async killAtRandom(random: Random, signal: AbortSignal): Promise<void> {
    for (;;) {
      // Soon, while others are about to restart, or when answers have become long.
      await wait(random.chance(0.5) ? random.whole(300, 1500) : random.whole(2000, 4500), signal);
      if (signal.aborted) return;
      const member = random.pick(this.members);
      this.kills.push({ process: this.members.indexOf(member), at: performance.now() });
      this.journal.count('kills');
      const { process } = member;
      member.process = undefined;
      await process?.end('SIGKILL');
      await this.#start(member);
    }
  }

  /**
   * Disconnects processes from their stores at random times until the signal aborts; all stores are connected
   * when it resolves.
   */
  async cutAtRandom(random: Random, signal: AbortSignal): Promise<void> {
    for (;;) {
      const member = random.pick(this.members);
      // The storm must not be spent waiting for a process to start.
      while (member.process === undefined && !signal.aborted) await wait(LOOK_MS, signal);
      await wait(random.whole(200, 2500), signal);
      if (signal.aborted) return;
      if (member.process === undefined) continue;
      const store = this.logged && random.chance(0.4) ? 'redis' : 'database';
      const cut = random.pick<Cut>(['reset', 'away', 'hole']);
      const lastsMs = random.whole(300, cut === 'hole' ? 3000 : 2000);
      const proxy = member.proxies[store];
      if (proxy === undefined) throw new Error(`The process has no proxy to its ${store}.`);
      this.journal.count(`cuts of the ${store} (${cut})`);
      const from = performance.now();
      if (cut === 'hole') proxy.swallow();
      else proxy.cut();
      if (cut !== 'reset') await wait(lastsMs, signal);
      proxy.restore();
      proxy.resume();
      const to = performance.now();
      this.outages.push({ process: this.members.indexOf(member), store, from, to });
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.members.map(async ({ process }) => process?.end('SIGTERM')));
    await Promise.all(
      this.members.flatMap(({ proxies }) => Object.values(proxies).map((proxy) => proxy.close())),
    );
    await Promise.all(this.providers.map((provider) => provider.close()));
    await this.database.drop();
    await this.dataDir.remove();
  }

  /** @throws Error if the process repeatedly fails to start */
  async #start(member: Member): Promise<void> {
    for (let starts = 1; ; starts += 1) {
      const process = startServer(member.environment);
      try {
        member.url = await process.ready;
        member.process = process;
        this.#watch(member, process);
        return;
      } catch (error) {
        if (starts === STARTS) throw error;
        this.journal.count('starts in vain');
      }
    }
  }

  /** Reports a process that exits by itself: it may only be killed. */
  #watch(member: Member, process: ServerProcess): void {
    void process.exited.then((how) => {
      if (member.process !== process || this.#closing) return;
      this.journal.violate('a process', `ended by itself (${how}):\n${process.output}`);
    });
  }
}

async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => undefined);
}
