// Real components: PostgreSQL with the functions of the batch worker.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
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
      `SELECT line FROM claim_batch_items('00000000-0000-0000-0000-000000000000', 2, 500, '{}', '{}', $1, 60)`,
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
