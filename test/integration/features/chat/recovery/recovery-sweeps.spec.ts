// Real components: PostgreSQL and a directory. The sweeping services are wired by hand, so that nothing else
// runs.
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Clock } from '../../../../../src/common/clock.js';
import { newId } from '../../../../../src/common/ids.js';
import { AuditRepository } from '../../../../../src/features/audit/audit.repository.js';
import type { AnswerSnapshot } from '../../../../../src/features/chat/streams/answer-entries.js';
import { AnswerLog } from '../../../../../src/features/chat/streams/answer-log.js';
import { IdempotencyRepository } from '../../../../../src/features/chat/turns/idempotency.repository.js';
import { RecoveryRepository } from '../../../../../src/features/chat/recovery/recovery.repository.js';
import { RecoveryService } from '../../../../../src/features/chat/recovery/recovery.service.js';
import { ActiveGenerations } from '../../../../../src/features/chat/recovery/active-generations.js';
import { ContentSweepRepository } from '../../../../../src/features/files/content-sweep.repository.js';
import { FileRepository } from '../../../../../src/features/files/file.repository.js';
import { FileSweep, ORPHAN_AGE_MS } from '../../../../../src/features/files/file-sweep.js';
import { UsageRepository } from '../../../../../src/features/usage/usage.repository.js';
import { PrismaService } from '../../../../../src/infra/database/index.js';
import { Broadcast, RedisConnection } from '../../../../../src/infra/redis/index.js';
import { FolderStorage } from '../../../../../src/infra/storage/folder-storage.js';
import type { StorageKey } from '../../../../../src/infra/storage/index.js';
import { PriceTable } from '../../../../../src/llm/index.js';
import { createMigratedDatabase, type TestDatabase } from '../../../../support/database.js';
import { query } from '../../../../support/stored.js';

let database: TestDatabase;
let prisma: PrismaService;
let userId: string;

beforeAll(async () => {
  database = await createMigratedDatabase();
  prisma = new PrismaService({ connectionString: database.url, poolMax: 3 });
  userId = newId();
  await query(database, `INSERT INTO users (id, email, password_hash) VALUES ($1, 'a@example.com', '')`, [
    userId,
  ]);
});

afterAll(async () => {
  await prisma.onApplicationShutdown();
  await database.drop();
});

/** An answer log that cannot be read for some answers and counts the reads. */
class BrokenLog extends AnswerLog {
  readonly unreadable = new Set<string>();
  asked = 0;

  constructor() {
    const redis = new RedisConnection(undefined);
    super(redis, new Broadcast(redis));
  }

  override extendSnapshot(answerId: string, known: AnswerSnapshot): Promise<AnswerSnapshot> {
    this.asked += 1;
    return this.unreadable.has(answerId)
      ? Promise.reject(new Error('Redis is away.'))
      : super.extendSnapshot(answerId, known);
  }
}

function recoveryWith(log: AnswerLog): RecoveryService {
  const repository = new RecoveryRepository(prisma, new UsageRepository(prisma));
  return new RecoveryService(repository, new PriceTable(), log, new ActiveGenerations());
}

/** Stores answers whose process is gone, each in its own conversation. */
async function abandon(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId());
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(
      `INSERT INTO conversations (id, user_id, title, next_position) SELECT id, $2, 'x', 1 FROM unnest($1::uuid[]) AS id`,
      [ids, userId],
    );
    await client.query(
      `INSERT INTO messages (id, conversation_id, user_id, position, role, status, content, lease_owner, lease_until)
       SELECT id, id, $2, 0, 'assistant', 'generating', 'x', id, now() - interval '1 second' FROM unnest($1::uuid[]) AS id`,
      [ids, userId],
    );
  } finally {
    await client.end();
  }
  return ids;
}

describe('a recovery sweep', () => {
  it('ends the five answers after 150 whose logs cannot be read', async () => {
    const log = new BrokenLog();
    const ids = await abandon(155);
    for (const id of ids.slice(0, 150)) log.unreadable.add(id);
    const recovery = recoveryWith(log);
    expect(await recovery.recoverAnswers('expired')).toBe(5);
    log.unreadable.clear();
    expect(await recovery.recoverAnswers('expired')).toBe(150);
  });

  it('ends the answers after one that the database refuses to update', async () => {
    const [first = ''] = await abandon(2);
    await query(
      database,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$`,
    );
    await query(
      database,
      `CREATE TRIGGER refuse BEFORE UPDATE ON messages FOR EACH ROW WHEN (NEW.id = '${first}') EXECUTE FUNCTION refuse()`,
    );
    const recovery = recoveryWith(new BrokenLog());
    try {
      expect(await recovery.recoverAnswers('expired')).toBe(1);
    } finally {
      await query(database, 'DROP FUNCTION refuse CASCADE');
    }
    expect(await recovery.recoverAnswers('expired')).toBe(1);
  });

  it('does not overlap with itself: concurrent calls check each answer once', async () => {
    const log = new BrokenLog();
    await abandon(120);
    const recovery = recoveryWith(log);
    const ended = await Promise.all([recovery.recoverAnswers('expired'), recovery.recoverAnswers('expired')]);
    expect(ended).toEqual([120, 120]);
    expect(log.asked).toBe(120);
    expect(await recovery.recoverAnswers('expired')).toBe(0);
  });
});

describe('retention', () => {
  /** Records the number of rows that each statement deletes from a table. */
  async function countDeletions(table: string): Promise<() => Promise<number[]>> {
    await query(database, `CREATE TABLE deletions_of_${table} (id serial, count int)`);
    await query(
      database,
      `CREATE FUNCTION count_${table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO deletions_of_${table} (count) SELECT count(*) FROM gone; RETURN NULL; END $$`,
    );
    await query(
      database,
      `CREATE TRIGGER count_deletions AFTER DELETE ON ${table} REFERENCING OLD TABLE AS gone
       FOR EACH STATEMENT EXECUTE FUNCTION count_${table}()`,
    );
    return async () =>
      (await query(database, `SELECT count FROM deletions_of_${table} ORDER BY id`)).map(({ count }) =>
        Number(count),
      );
  }

  it('deletes old audit log entries in batches of a thousand', async () => {
    const deletions = await countDeletions('audit_log');
    await query(
      database,
      `INSERT INTO audit_log (id, action) SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'x'
       FROM generate_series(1, 2500) AS n`,
    );
    expect(await new AuditRepository(prisma).deleteBefore(Date.now())).toBe(2_500);
    expect(await deletions()).toEqual([1_000, 1_000, 500]);
  });

  it('deletes old idempotency keys in batches of a thousand', async () => {
    const deletions = await countDeletions('idempotency_keys');
    await query(
      database,
      `INSERT INTO idempotency_keys (id, user_id, route, key, fingerprint, created_at)
       SELECT gen_random_uuid(), $1, 'r', n::text, '', now() - make_interval(hours => CASE WHEN n <= 2500 THEN 25 ELSE 1 END)
       FROM generate_series(1, 2510) AS n`,
      [userId],
    );
    await new IdempotencyRepository(prisma).deleteExpiredKeys();
    expect(await deletions()).toEqual([1_000, 1_000, 500]);
    expect(await query(database, 'SELECT count(*)::int AS n FROM idempotency_keys')).toEqual([{ n: 10 }]);
  });
});

describe('the audit log of an account', () => {
  it('lists the actions by and on the account once each, newest first, page by page', async () => {
    const audit = new AuditRepository(prisma);
    const [ada, bob] = [newId(), newId()];
    const pairs: [string, string][] = [
      [ada, ada],
      [ada, bob],
      [bob, ada],
      [bob, bob],
      [ada, bob],
    ];
    for (const [actor, target] of pairs)
      await audit.insert({ actor: { userId: actor, address: null }, action: 'user.updated', userId: target });
    const first = await audit.listEntries({ userId: ada }, { limit: 3, after: undefined });
    expect(first.map(({ actorId, userId: target }) => [actorId, target])).toEqual([
      [ada, bob],
      [bob, ada],
      [ada, bob],
    ]);
    const rest = await audit.listEntries({ userId: ada }, { limit: 3, after: first.at(-1)?.id });
    expect(rest.map(({ actorId, userId: target }) => [actorId, target])).toEqual([[ada, ada]]);
  });

  it('is read in index order, for any actor', async () => {
    await query(
      database,
      `INSERT INTO audit_log (id, action, actor_id) SELECT gen_random_uuid(), 'x', gen_random_uuid() FROM generate_series(1, 5000)`,
    );
    await query(database, 'ANALYZE audit_log');
    const plan = await query(
      database,
      `EXPLAIN SELECT * FROM audit_log WHERE actor_id = $$${userId}$$ AND id < $$${newId()}$$ ORDER BY id DESC LIMIT 20`,
    );
    const text = plan.map((row) => String(row['QUERY PLAN'])).join('\n');
    expect(text).toContain('audit_log_actor_id_id_idx');
    expect(text).not.toContain('Sort');
  });
});

describe('the file directory', () => {
  let root: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'parley-storage-'));
  });

  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  async function keysIn(path: string): Promise<{ keys: StorageKey[]; error: unknown }> {
    const keys: StorageKey[] = [];
    try {
      for await (const key of new FolderStorage(path).keysBefore(Date.now())) keys.push(key);
      return { keys, error: undefined };
    } catch (error) {
      return { keys, error };
    }
  }

  it('counts as empty if it does not exist yet', async () => {
    expect(await keysIn(join(root, 'none'))).toEqual({ keys: [], error: undefined });
  });

  it('is not treated as empty if it cannot be read', async () => {
    await writeFile(join(root, 'file'), 'not a folder');
    expect((await keysIn(join(root, 'file'))).error).toMatchObject({ code: 'ENOTDIR' });
  });

  it('is swept except for an unreadable part, which is reported', async () => {
    const path = join(root, 'files');
    const name = randomUUID();
    await mkdir(join(path, userId), { recursive: true });
    await writeFile(join(path, userId, name), 'left by an upload');
    const then = new Date(Date.now() - ORPHAN_AGE_MS - 60_000);
    await utimes(join(path, userId, name), then, then);
    // Sorted before the other directory, and unreadable even for root: a symbolic link to itself.
    await symlink('00000000', join(path, '00000000'));
    const found = await keysIn(path);
    expect(found.keys).toEqual([{ folder: userId, name }]);
    expect(found.error).toMatchObject({ errors: [{ code: 'ELOOP' }] });
    const sweep = sweepOf(prisma, path, new Clock());
    await expect(sweep.run()).rejects.toThrow('Not all stored files could be listed.');
    expect((await keysIn(path)).keys).toEqual([]);
  });

  it('is swept in several batches, except for foreign files, and not after shutdown began', async () => {
    const path = join(root, 'many');
    await mkdir(join(path, userId), { recursive: true });
    const names = [...Array.from({ length: 501 }, () => randomUUID()), 'not-of-ours'];
    await Promise.all(names.map((name) => writeFile(join(path, userId, name), '')));
    const tomorrow = Object.assign(new Clock(), { now: () => Date.now() + 2 * ORPHAN_AGE_MS });
    const sweep = sweepOf(prisma, path, tomorrow);
    expect(await sweep.run(AbortSignal.abort())).toBe(0);
    expect(await readdir(join(path, userId))).toHaveLength(502);
    expect(await sweep.run()).toBe(501);
    expect(await readdir(join(path, userId))).toEqual(['not-of-ours']);
  });
});

function sweepOf(prisma: PrismaService, path: string, clock: Clock): FileSweep {
  return new FileSweep(
    new FileRepository(prisma),
    new FolderStorage(path),
    clock,
    new ContentSweepRepository(prisma),
  );
}
