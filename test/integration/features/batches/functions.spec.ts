// Real components: PostgreSQL with the functions of the batch worker.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { FIRST_OWNER } from '../../../../src/features/batches/rows/item-claim.repository.js';
import { createMigratedDatabase, type TestDatabase } from '../../../support/database.js';

/** Number of calls: PostgreSQL keeps the plan of a statement after some of them. */
const CALLS = 12;

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createMigratedDatabase();
  client = new pg.Client(database.url);
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** Inserts accounts, each with running batches of waiting items, and returns their ids in order. */
async function insertAccounts(
  names: readonly string[],
  {
    batches,
    items,
    columns = {},
  }: { batches: number; items: number; columns?: { lanes?: string; most?: number } },
): Promise<string[]> {
  const { lanes = '{openai}', most = null } = columns;
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO users (id, email, password_hash)
     SELECT gen_random_uuid(), name || '@example.com', 'none' FROM unnest($1::text[]) AS name RETURNING id`,
    [names],
  );
  const ids = rows.map(({ id }) => id).toSorted();
  await client.query(
    `INSERT INTO batches (id, user_id, api, endpoint, status, total, lanes, max_concurrency, expires_at)
     SELECT gen_random_uuid(), id, 'parley', '/v1/chat/completions', 'queued', $2, $3, $4, now() + interval '1 day'
     FROM unnest($1::uuid[]) AS id, generate_series(1, $5)`,
    [ids, items, lanes, most, batches],
  );
  await client.query(
    `INSERT INTO batch_items (batch_id, line, user_id, custom_id, request, lane)
     SELECT id, line, user_id, line::text, '{}', lanes[1 + line % cardinality(lanes)]
     FROM batches, generate_series(1, total) AS line WHERE user_id = ANY ($1::uuid[])`,
    [ids],
  );
  return ids;
}

/** Claims items, and returns the rows of the function. */
async function claimItems(
  slots: number,
  { after = FIRST_OWNER, ownerSlots = 500 }: { after?: string | null; ownerSlots?: number } = {},
): Promise<readonly { user_id: string | null; batch_id: string | null; next_owner: string | null }[]> {
  const { rows } = await client.query<{ user_id: string; batch_id: string; next_owner: string | null }>(
    `SELECT user_id, batch_id, next_owner FROM claim_waiting_items($1, $2, $3, '{}', '{}', gen_random_uuid(), 60)`,
    [after, slots, ownerSlots],
  );
  return rows;
}

/** Runs a test in a transaction that is rolled back. */
async function rolledBack(run: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await run();
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Returns the number of rows of each owner. */
function countOwners(rows: readonly { user_id: string | null }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { user_id: owner } of rows) counts[String(owner)] = (counts[String(owner)] ?? 0) + 1;
  return counts;
}

it('a claim serves owners evenly and in turn, and what one of them does not need goes to the others', async () => {
  await rolledBack(async () => {
    const [first, second, third] = await insertAccounts(['a', 'b', 'c'], { batches: 2, items: 5 });
    if (first === undefined || second === undefined || third === undefined) throw new Error('No accounts.');
    const four = await claimItems(4);
    expect(countOwners(four)).toEqual({ [first]: 2, [second]: 2 });
    expect(four.map(({ next_owner: next }) => next)).toEqual([second, second, second, second]);
    // The third one is the last: the next claim begins with the first owner again.
    const rest = await claimItems(3, { after: second });
    expect(countOwners(rest)).toEqual({ [third]: 3 });
    expect(rest.map(({ next_owner: next }) => next)).toEqual([null, null, null]);
    // They have 2, 2 and 3 now.
    await client.query(`UPDATE users SET disabled_at = now() WHERE id = $1`, [first]);
    expect(countOwners(await claimItems(6, { ownerSlots: 4 }))).toEqual({ [second]: 2, [third]: 1 });
    expect(await claimItems(2, { after: first, ownerSlots: 4 })).toMatchObject([
      { user_id: null, next_owner: second },
    ]);
    await client.query(`UPDATE users SET disabled_at = NULL WHERE id = $1`, [first]);
    // They have 2, 4 and 4 now.
    expect(countOwners(await claimItems(8, { ownerSlots: 6 }))).toEqual({
      [first]: 4,
      [second]: 2,
      [third]: 2,
    });
    const { rows } = await client.query(
      `SELECT DISTINCT status, started_at IS NOT NULL AS started FROM batches WHERE id IN (
         SELECT batch_id FROM batch_items WHERE lease_until IS NOT NULL)`,
    );
    expect(rows).toEqual([{ status: 'running', started: true }]);
  });
});

it.each([
  { slots: 12, owners: 5, shares: [3, 3, 2, 2, 2] },
  { slots: 16, owners: 7, shares: [3, 3, 2, 2, 2, 2, 2] },
  { slots: 7, owners: 3, shares: [3, 2, 2] },
])('a claim of $slots items leaves none of $owners owners out', async ({ slots, owners, shares }) => {
  await rolledBack(async () => {
    const names = Array.from({ length: owners }, (_owner, number) => `owner${number}`);
    const ids = await insertAccounts(names, { batches: 1, items: 20 });
    const expected = Object.fromEntries(ids.map((id, place) => [id, shares[place]]));
    expect(countOwners(await claimItems(slots))).toEqual(expected);
  });
});

it('a claim takes no more items of a batch than its max_concurrency, whatever their providers', async () => {
  await rolledBack(async () => {
    await insertAccounts(['a'], {
      batches: 1,
      items: 12,
      columns: { lanes: '{openai,anthropic,ollama}', most: 4 },
    });
    expect(await claimItems(3)).toHaveLength(3);
    expect(await claimItems(6)).toHaveLength(1);
    expect(await claimItems(6)).toEqual([]);
  });
});

it('claims and results read items by an index, also with plans from before there were items', async () => {
  const [userId, batchId] = [randomUUID(), randomUUID()];
  await client.query(
    `INSERT INTO users (id, email, password_hash) VALUES ($1, 'batch@example.com', 'none')`,
    [userId],
  );
  await client.query(
    `INSERT INTO batches (id, user_id, api, endpoint, status, total, lanes, expires_at)
     VALUES ($1, $2, 'parley', '/v1/chat/completions', 'queued', 2000, '{openai}', now() + interval '1 day')`,
    [batchId, userId],
  );
  const claim = async (): Promise<readonly { line: number | null }[]> => {
    const { rows } = await client.query<{ line: number | null }>(
      `SELECT line FROM claim_waiting_items('00000000-0000-0000-0000-000000000000', 2, 500, '{}', '{}', $1, 60)`,
      [userId],
    );
    return rows;
  };
  const end = async (lines: readonly (number | null)[]): Promise<void> => {
    const ends = lines.map((line) => ({ batch_id: batchId, line, lease_id: userId, status: 'completed' }));
    await client.query('SELECT * FROM store_batch_results($1, $2)', [JSON.stringify(ends), '[]']);
  };
  for (let call = 0; call < CALLS; call += 1) await end((await claim()).map(({ line }) => line));
  await client.query(
    `INSERT INTO batch_items (batch_id, line, user_id, custom_id, request, lane)
     SELECT $1, line, $2, line::text, '{}', 'openai' FROM generate_series(1, 2000) AS line`,
    [batchId, userId],
  );
  const before = await readItems();
  for (let call = 0; call < CALLS; call += 1) {
    const lines = (await claim()).map(({ line }) => line);
    expect(lines).toEqual([2 * call + 1, 2 * call + 2]);
    await end(lines);
  }
  const after = await readItems();
  // Not one of them has read the table, and each has read no more than a few rows for each of its two.
  expect(after.sequential - before.sequential).toBe(0);
  expect(after.byIndex - before.byIndex).toBeLessThan(CALLS * 50);
});

/** Returns the number of rows of items that have been read. */
async function readItems(): Promise<{ readonly sequential: number; readonly byIndex: number }> {
  await client.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await client.query<{ sequential: string; byIndex: string }>(
    `SELECT seq_tup_read AS sequential, idx_tup_fetch AS "byIndex" FROM pg_stat_user_tables
     WHERE relname = 'batch_items'`,
  );
  return { sequential: Number(rows[0]?.sequential ?? 0), byIndex: Number(rows[0]?.byIndex ?? 0) };
}
