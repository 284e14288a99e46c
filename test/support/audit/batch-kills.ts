import { setTimeout as delay } from 'node:timers/promises';
import { type EmbeddedServer, startEmbeddedServer } from '../../../src/infra/database/embedded-server.js';
import { makeTemporaryDirectory } from '../embedded-database.js';
import { HAS_REDIS_SERVER } from '../redis-server.js';
import { query, until } from '../stored.js';
import type { Run } from './audit-runs.js';
import { newBatchOf, REQUEST_WORD, type SentRequest } from './batch-model.js';
import { auditAll, registerClient } from './batch-storm.js';
import { BATCH_MODELS, BATCH_SLOTS, BatchWorld, REDIS_SETTINGS } from './batch-world.js';
import { Random } from './random.js';

/** Number of requests of the batch. */
const REQUESTS = 2_000;

/** Bounds of the time that a provider takes to answer, in milliseconds: so that the batch lasts as long as the kills. */
const ANSWER_MS = { least: 20, first: 2_000, most: 10_000 } as const;

/** Maximum time until a killed PostgreSQL server has gone, in milliseconds. */
const DEATH_MS = 10_000;

/** A PostgreSQL server that may be killed. It is durable, unlike the one of the test run. */
class KillablePostgres {
  private constructor(
    private readonly directory: ReturnType<typeof makeTemporaryDirectory>,
    private server: EmbeddedServer,
  ) {}

  static async start(): Promise<KillablePostgres> {
    const directory = makeTemporaryDirectory();
    return new KillablePostgres(directory, await startIn(directory.path));
  }

  get url(): string {
    return this.server.connectionString;
  }

  /** Kills the server, and starts it again at the same address. */
  async kill(): Promise<void> {
    const { port } = this.server;
    const [row] = await query({ url: this.url }, `SELECT pg_read_file('postmaster.pid') AS file`);
    const processId = Number.parseInt(String(row?.['file']), 10);
    process.kill(processId, 'SIGKILL');
    await until('the death of PostgreSQL', () => !exists(processId), DEATH_MS);
    this.server = await startIn(this.directory.path, port);
    if (this.server.port !== port) throw new Error('PostgreSQL has come back at another port.');
    const answers = (): Promise<boolean> =>
      query({ url: this.url }, 'SELECT 1').then(
        () => true,
        () => false,
      );
    await until('the first connection', answers);
  }

  async close(): Promise<void> {
    await this.server.stop();
    await this.directory.remove();
  }
}

/** Kills everything at random while a batch runs, and audits it after that. */
export async function runBatchKills(seed: number, kills: number): Promise<Run> {
  const random = new Random(seed);
  const postgres = await KillablePostgres.start();
  try {
    const world = await BatchWorld.create(random.fork(), {
      processes: HAS_REDIS_SERVER ? 3 : 1,
      databaseUrl: postgres.url,
      isStormy: false,
    });
    try {
      return await killDuringBatch(world, postgres, random, kills);
    } finally {
      await world.close();
    }
  } finally {
    await postgres.close();
  }
}

async function killDuringBatch(
  world: BatchWorld,
  postgres: KillablePostgres,
  random: Random,
  kills: number,
): Promise<Run> {
  const client = await registerClient(world, 1, random.fork());
  const requests = Array.from({ length: REQUESTS }, (_, index) => requestAt(index + 1));
  const batch = newBatchOf(requests, {
    name: 'killed',
    form: 'requests',
    key: 'the-only-batch',
    faultyLine: undefined,
    maxConcurrency: undefined,
    fate: undefined,
  });
  paceAnswers(world, ANSWER_MS.first);
  await client.submit(batch, random.fork(), new AbortController().signal);
  const { size } = world.processes;
  const targets = [
    ...Array.from({ length: size }, (_, index) => index),
    'PostgreSQL',
    ...(world.redis ? ['Redis'] : []),
  ];
  const began = performance.now();
  let running = 0;
  // Of several processes the first one is the API, which runs no items.
  let ofWorkers = 0;
  for (let kill = 1; kill <= kills; kill += 1) {
    await delay(random.whole(0, 500));
    const target = random.pick(targets);
    if (typeof target === 'number') {
      if (target > 0 || size === 1) ofWorkers += 1;
      await world.processes.kill(target);
    } else {
      world.journal.count(`kills of ${target}`);
      if (target === 'PostgreSQL') await postgres.kill();
      else await killRedis(world);
    }
    const remaining = await countUnfinished(world);
    if (remaining > 0) running += 1;
    // The remaining requests are to last as long as the remaining kills.
    const slots = BATCH_SLOTS * Math.max(1, size - 1);
    const remainingMs = ((performance.now() - began) / kill) * (kills - kill);
    paceAnswers(world, (slots * remainingMs) / Math.max(1, remaining));
  }
  world.journal.count('kills while it ran', running);
  const ended = performance.now();
  paceAnswers(world, ANSWER_MS.least);
  await client.logIn();
  const { askedAgain } = await auditAll(world, [client]);
  world.journal.count('kills of workers', ofWorkers);
  if (askedAgain > BATCH_SLOTS * ofWorkers)
    world.journal.violate(
      'the calls',
      `${askedAgain} requests were sent again after ${ofWorkers} kills of workers with ${BATCH_SLOTS} each`,
    );
  return world.journal.toRun(performance.now() - ended);
}

function requestAt(line: number): SentRequest {
  const text = `${REQUEST_WORD} killed ${String(line)}`;
  return { line, customId: `item-${String(line)}`, text, model: BATCH_MODELS[line % 2] ?? BATCH_MODELS[0] };
}

function paceAnswers({ providers }: BatchWorld, milliseconds: number): void {
  const delayBeforeMs = Math.min(ANSWER_MS.most, Math.max(ANSWER_MS.least, milliseconds));
  for (const { fake } of providers) fake.setDefault({ kind: 'answer', delayBeforeMs });
}

async function countUnfinished({ database }: BatchWorld): Promise<number> {
  const [row] = await query(
    database,
    `SELECT count(*)::int AS count FROM batch_items WHERE status IN ('waiting', 'running')`,
  );
  return Number(row?.['count']);
}

async function killRedis({ redis }: BatchWorld): Promise<void> {
  await redis?.stop();
  await redis?.start(...REDIS_SETTINGS);
}

function startIn(directory: string, preferredPort?: number): Promise<EmbeddedServer> {
  return startEmbeddedServer({
    dataDir: `${directory}/data`,
    report: () => undefined,
    ...(preferredPort !== undefined && { preferredPort }),
  });
}

function exists(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}
