import { setTimeout as delay } from 'node:timers/promises';
import { makeDataDir } from '../data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../database.js';
import { type FakeProvider, startFakeProvider } from '../fake-provider/fake-provider.js';
import { UNLIMITED } from '../limits.js';
import { type ServerProcess, startServer } from '../server-process.js';
import { Journal } from './journal.js';
import type { Random } from './random.js';
import { scriptAnswers } from './scripted-answers.js';

/** One question, however often it was sent. */
export interface Question {
  readonly text: string;
  readonly key: string | undefined;
  /** Answers that the server named for it; of a question that is stored once there is one. */
  readonly answers: Set<string>;
  /** Whether a request was lost, so that nobody but the server knows what became of it. */
  lost: boolean;
}

/** An answer as the server told that it had ended, which it may not take back. */
export interface ToldEnd {
  readonly answerId: string;
  readonly content: unknown;
  readonly status: unknown;
}

/** What the processes of a run are. */
export interface WorldOptions {
  readonly processes: number;
  /** With it the processes share that Redis; without it there is one process. */
  readonly redisUrl?: string | undefined;
}

/** Enough for any storm. */
const SCRIPTED_ANSWERS = 1500;

/** Processes on a database of their own, two providers, and what their clients remember. */
export class World {
  readonly journal = new Journal();
  readonly questions: Question[] = [];
  readonly told: ToldEnd[] = [];
  /** When processes were killed, in milliseconds of this process. */
  readonly kills: number[] = [];
  readonly #servers: { process: ServerProcess; url: string }[] = [];

  private constructor(
    readonly database: TestDatabase,
    /** Whatever is on a screen is in Redis. */
    readonly logged: boolean,
    /** All texts that a provider has for somebody. */
    readonly texts: ReadonlySet<string>,
    private readonly providers: readonly FakeProvider[],
    private readonly dataDir: Awaited<ReturnType<typeof makeDataDir>>,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  static async create(random: Random, { processes, redisUrl }: WorldOptions): Promise<World> {
    const texts = new Set<string>();
    const provider = async (name: string): Promise<FakeProvider> => {
      const fake = await startFakeProvider();
      const scripted = scriptAnswers(random.fork(), name, SCRIPTED_ANSWERS);
      fake.script(...scripted.behaviours);
      for (const text of scripted.texts) texts.add(text);
      return fake;
    };
    const first = await provider('first');
    const second = await provider('second');
    const database = await createMigratedDatabase();
    const dataDir = await makeDataDir();
    const world = new World(database, redisUrl !== undefined, texts, [first, second], dataDir, {
      ...UNLIMITED,
      HOST: '127.0.0.1',
      DATA_DIR: dataDir.path,
      DATABASE_URL: database.url,
      JWT_SECRET: 'one secret for all processes of the audit',
      LOG_LEVEL: 'warn',
      LLM_HOSTS: JSON.stringify([
        { id: 'first', base_url: first.baseUrl, models: ['model'] },
        { id: 'second', base_url: second.baseUrl, models: ['model'] },
      ]),
      MODEL_ALIASES: JSON.stringify({ chain: ['first/model', 'second/model'] }),
      MODEL_PRICES: JSON.stringify({ 'first/model': { input: 10, output: 30 } }),
      ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    });
    await Promise.all(Array.from({ length: processes }, (_, index) => world.#start(index)));
    return world;
  }

  /** The address of one of the processes, of one that is just dead too. */
  url(random: Random): string {
    return random.pick(this.#servers).url;
  }

  /** Kills processes at random points and starts them again, until the signal aborts; all of them run when it resolves. */
  async killAtRandom(random: Random, signal: AbortSignal): Promise<void> {
    for (;;) {
      // Soon, while others are about to begin again, or when answers have become long.
      const after = random.chance(0.5) ? random.whole(300, 1500) : random.whole(2000, 4500);
      await delay(after, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const index = random.whole(0, this.#servers.length - 1);
      this.kills.push(performance.now());
      this.journal.count('kills');
      await this.#servers[index]?.process.end('SIGKILL');
      await this.#start(index);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map(({ process }) => process.end('SIGTERM')));
    await Promise.all(this.providers.map((provider) => provider.close()));
    await this.database.drop();
    await this.dataDir.remove();
  }

  async #start(index: number): Promise<void> {
    const process = startServer(this.environment);
    const before = this.#servers[index];
    this.#servers[index] = { process, url: before?.url ?? '' };
    this.#servers[index] = { process, url: await process.ready };
  }
}
