import { setTimeout as delay } from 'node:timers/promises';
import { makeDataDir } from '../data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../database.js';
import { type FakeProvider, startFakeProvider } from '../fake-provider/fake-provider.js';
import type { Behavior } from '../fake-provider/script.js';
import { redisKeyPrefix } from '../redis.js';
import { query } from '../stored.js';
import { Journal } from './journal.js';
import { AUDIT_SETTINGS, ProcessGroup, type ProcessOptions } from './process-group.js';
import type { Random } from './random.js';
import { AuditTexts } from './retrieval-texts.js';

/** Embedding models of the provider. */
export const EMBEDDERS = ['provider/embedder', 'provider/other'] as const;

/** Share of the requests for embeddings that the provider refuses or does not answer. */
const FAILURES = 0.1;

/** Enough for any storm. */
const SCRIPTED_REQUESTS = 5000;

/** Interval at which a process renews its claims, with time for the renewal, in milliseconds. */
const RENEWAL_MS = 7000;

/**
 * Remembers each vector that was stored, also of documents that are deleted later. The usage of its request is in the
 * ledger from the same commit on.
 */
const EMBEDDED_LOG = `
  CREATE TABLE embedded_log (ingestion_id uuid, text text);
  CREATE FUNCTION log_embedded() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO embedded_log SELECT added.ingestion_id, chunks.text FROM added JOIN chunks USING (ingestion_id, ordinal);
    RETURN NULL;
  END $$;
  CREATE TRIGGER log_embedded AFTER INSERT ON chunk_embeddings REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION log_embedded()`;

/** Processes with their own database and provider, and the texts that were sent to them. */
export class RetrievalWorld {
  readonly texts = new AuditTexts();
  /** Indexes of the requests for embeddings that fail. */
  readonly failures: Set<number>;
  /** Documents whose claim was taken from a process that is believed dead. */
  readonly taken: string[] = [];

  private constructor(
    readonly journal: Journal,
    readonly database: TestDatabase,
    readonly dataDir: Awaited<ReturnType<typeof makeDataDir>>,
    readonly provider: FakeProvider,
    readonly processes: ProcessGroup,
    behaviors: readonly Behavior[],
  ) {
    this.failures = new Set(behaviors.flatMap(({ kind }, index) => (kind === 'answer' ? [] : [index])));
  }

  static async create(random: Random, { processes, redisUrl }: ProcessOptions): Promise<RetrievalWorld> {
    const provider = await startFakeProvider({ models: ['model', 'embedder', 'other'] });
    const dice = random.fork();
    const behaviors = Array.from({ length: SCRIPTED_REQUESTS }, () => behaviorOf(dice));
    provider.scriptFor('embeddings', ...behaviors);
    provider.setDefault({ kind: 'answer', text: 'As [1] says, and [2][9], or [1, 3; 47], but not a[0].' });
    const database = await createMigratedDatabase();
    await query(database, EMBEDDED_LOG);
    const dataDir = await makeDataDir();
    const journal = new Journal();
    const environment = {
      ...AUDIT_SETTINGS,
      DATA_DIR: dataDir.path,
      DATABASE_URL: database.url,
      LLM_HOSTS: JSON.stringify([
        { id: 'provider', base_url: provider.baseUrl, models: ['model', 'embedder', 'other'] },
      ]),
      DEFAULT_MODEL: 'provider/model',
      LLM_MAX_RETRIES: random.pick(['0', '1']),
      ...(redisUrl !== undefined && { REDIS_URL: redisUrl, REDIS_KEY_PREFIX: redisKeyPrefix(database) }),
    };
    // The only process had all claims: they need not expire in their own time.
    const afterKill = async (): Promise<void> => {
      if (processes === 1) await takeClaims(database, performance.now());
    };
    const group = new ProcessGroup(
      journal,
      Array.from({ length: processes }, () => ({ environment })),
      afterKill,
    );
    const world = new RetrievalWorld(journal, database, dataDir, provider, group, behaviors);
    await group.start();
    return world;
  }

  /** Lets the provider answer every request from now on. */
  stopFailures(): void {
    const received = this.provider.requests.filter(({ route }) => route === 'embeddings').length;
    for (const index of this.failures) if (index >= received) this.failures.delete(index);
    this.provider.clearScript('embeddings');
  }

  /** Makes the claims of killed processes expire, once those of the others have been renewed. */
  async takeDeadClaims(): Promise<void> {
    const last = this.processes.kills.at(-1);
    if (last === undefined) return;
    await delay(Math.max(0, last.at + RENEWAL_MS - performance.now()));
    this.taken.push(...(await takeClaims(this.database, last.at)));
  }

  async close(): Promise<void> {
    await this.processes.close();
    await this.provider.close();
    await this.database.drop();
    await this.dataDir.remove();
  }
}

/** Makes claims due that were not renewed since a time, and returns their documents. */
async function takeClaims(database: TestDatabase, since: number): Promise<string[]> {
  const moment = new Date(performance.timeOrigin + since);
  await query(
    database,
    `UPDATE file_texts SET due_at = now() WHERE lease_id IS NOT NULL AND due_at < $1::timestamptz + interval '30 seconds'`,
    [moment],
  );
  const rows = await query(
    database,
    `UPDATE ingestions SET due_at = now() - interval '1 second'
     WHERE lease_id IS NOT NULL AND heartbeat_at < $1 RETURNING document_id`,
    [moment],
  );
  return rows.map((row) => String(row['document_id']));
}

function behaviorOf(random: Random): Behavior {
  const delayBeforeMs = random.chance(0.2) ? random.whole(100, 600) : random.whole(0, 40);
  if (!random.chance(FAILURES)) return { kind: 'answer', delayBeforeMs };
  const dice = random.next();
  if (dice < 0.35) return { kind: 'error', status: 503, delayBeforeMs };
  if (dice < 0.65) return { kind: 'error', status: 429, retryAfterMs: random.whole(10, 400), delayBeforeMs };
  if (dice < 0.9) return { kind: 'reset', delayBeforeMs };
  return { kind: 'error', status: 500, delayBeforeMs };
}
