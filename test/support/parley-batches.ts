import { expect } from '@jest/globals';
import type { TestApi } from './api.js';
import { at, listAt, type TestUser } from './client.js';
import { query, until } from './stored.js';

/** Path of the batches of our own API. */
export const BATCHES = '/api/v1/batch';

/** Submits a batch, and returns its id. */
export async function submitBatch(user: TestUser, body: object): Promise<string> {
  const { status, body: batch } = await user.request('POST', BATCHES, body);
  expect({ status, batch }).toEqual({ status: 202, batch });
  return String(at(batch, 'job_id'));
}

/** Waits until a batch has ended, and returns it. */
export async function untilEnded(user: TestUser, id: string): Promise<unknown> {
  return until(`the end of the batch ${id}`, async () => {
    const { body } = await user.request('GET', `${BATCHES}/${id}`);
    return at(body, 'ended_at') !== null && body;
  });
}

/** Reads all results of a batch as lines. */
export async function readLines(user: TestUser, id: string, search = ''): Promise<unknown[]> {
  const { body } = await user.request('GET', `${BATCHES}/${id}/results${search}`);
  // A single line is parsed as it is.
  if (typeof body !== 'string') return [body];
  return body
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

/** Reads all results of a batch by pages, and returns their lines and the number of pages. */
export async function readPages(
  user: TestUser,
  id: string,
  limit: number,
): Promise<{ readonly lines: unknown[]; readonly pages: number }> {
  const lines: unknown[] = [];
  let after = 0;
  for (let pages = 1; ; pages += 1) {
    const { body } = await user.request('GET', `${BATCHES}/${id}/results?limit=${limit}&after=${after}`);
    lines.push(...listAt(body, 'data').map((result) => at(result, 'line')));
    if (at(body, 'has_more') !== true) return { lines, pages };
    after = Number(at(body, 'last_id'));
  }
}

/** Ends items of a batch as a worker would, by SQL, and counts them. */
export async function endItems(
  { database }: TestApi,
  id: string,
  { status, lines, response }: { status: 'completed' | 'failed'; lines: readonly number[]; response: object },
): Promise<void> {
  await query(
    database,
    `UPDATE batch_items SET status = $2::batch_item_status, response_status = $3, response = $4, request_id = 'r',
       ended_at = now(), input_tokens = 2, output_tokens = 3
     WHERE batch_id = $1 AND line = ANY($5::int[])`,
    [id, status, status === 'completed' ? 200 : 404, JSON.stringify(response), lines],
  );
  await query(
    database,
    `UPDATE batches SET completed_count = completed_count + $2, failed_count = failed_count + $3, status = 'running',
       input_tokens = input_tokens + 2 * $4, output_tokens = output_tokens + 3 * $4,
       started_at = coalesce(started_at, now() - interval '1 minute')
     WHERE id = $1`,
    [id, status === 'completed' ? lines.length : 0, status === 'failed' ? lines.length : 0, lines.length],
  );
}

/** Ends a batch by SQL. */
export async function endBatch({ database }: TestApi, id: string): Promise<void> {
  await query(database, `UPDATE batches SET status = 'completed', ended_at = now() WHERE id = $1`, [id]);
}
