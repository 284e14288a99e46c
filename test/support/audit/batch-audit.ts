import { toOpenAiBatchId } from '../../../src/features/batches/model/openai-batch-id.js';
import { at, listAt } from '../client.js';
import { query, type Row, until } from '../stored.js';
import type { BatchClient } from './batch-client.js';
import { isOpenAiBatch, type SentBatch, type SentRequest } from './batch-model.js';
import { type BatchWorld, UNKNOWN_MODEL } from './batch-world.js';

/** Time by which all batches must have ended: a lease, the sweep, and the requests that are left, in milliseconds. */
const SETTLED_MS = 120_000;

/** Number of its own failures after which a request fails, and of processes that died at it, of which the last is not counted. */
const BOUNDS = { attempts: 3, lostLeases: 4 } as const;

/** Work that is not finished. */
const UNFINISHED = `
  SELECT 'a batch' AS what, id::text, status::text AS detail FROM batches
    WHERE ended_at IS NULL OR due_at IS NOT NULL OR lease_id IS NOT NULL
  UNION ALL SELECT 'a deleted batch', id::text, status::text FROM batches WHERE deleted_at IS NOT NULL
  UNION ALL SELECT 'a request', batch_id::text, status::text FROM batch_items
    WHERE status IN ('waiting', 'running') OR lease_id IS NOT NULL OR lease_until IS NOT NULL`;

/** A digest of all rows that belong to batches. */
const DIGEST = `
  SELECT (SELECT md5(string_agg(batches::text, ' ' ORDER BY id)) FROM batches)
    || (SELECT md5(string_agg(batch_items::text, ' ' ORDER BY batch_id, line)) FROM batch_items)
    || (SELECT md5(string_agg(usage_records::text, ' ' ORDER BY id)) FROM usage_records) AS digest`;

/** Columns of usage that batches and their items have. */
const USAGE_COLUMNS = [
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'reasoning_tokens',
  'cost_micro_usd',
  'unpriced_attempts',
] as const;

/** A batch with its rows. */
export interface StoredBatch {
  readonly client: BatchClient;
  readonly sent: SentBatch;
  readonly row: Row;
  /** In the order of the input. */
  readonly items: readonly Row[];
}

/** Waits until no request runs any more, and reports what has not ended. */
export async function settleBatches({ database, journal, providers }: BatchWorld): Promise<void> {
  const hasEnded = async (): Promise<boolean> => (await query(database, UNFINISHED)).length === 0;
  try {
    await until('the end of all batches', hasEnded, SETTLED_MS);
  } catch {
    for (const { what, id, detail } of await query(database, UNFINISHED))
      journal.violate(String(id), `${String(what)} has not ended: ${String(detail)}`);
  }
  // Calls of requests that were cancelled end after them, and their usage is stored then.
  await Promise.all(providers.map((provider) => provider.untilIdle()));
  let last = '';
  let equal = 0;
  await until('the last usage', async () => {
    const digest = await digestOf(database);
    equal = digest === last ? equal + 1 : 0;
    last = digest;
    return equal > 25;
  });
}

/** Returns a digest of all rows of batches, their items and the ledger. */
export async function digestOf(database: { readonly url: string }): Promise<string> {
  return String((await query(database, DIGEST))[0]?.['digest']);
}

/** Reads what is stored of the batches that were sent, and reports batches that are missing or exist twice. */
export async function readStoredBatches(
  { database }: BatchWorld,
  clients: readonly BatchClient[],
): Promise<StoredBatch[]> {
  const batches = await query(database, `SELECT *, metadata ->> 'name' AS name FROM batches`);
  const items = Map.groupBy(
    await query(database, 'SELECT * FROM batch_items ORDER BY batch_id, line'),
    ({ batch_id: id }) => String(id),
  );
  const stored: StoredBatch[] = [];
  for (const client of clients) {
    for (const sent of client.batches) {
      const [row, ...more] = batches.filter(({ name }) => name === sent.name);
      if (more.length > 0) client.violate(sent, `exists ${more.length + 1} times`);
      if (row === undefined) {
        if (sent.id !== undefined && !sent.actions.has('delete')) client.violate(sent, 'does not exist');
        continue;
      }
      const id = String(row['id']);
      // The answer to its submission was lost.
      sent.id ??= isOpenAiBatch(sent) ? toOpenAiBatchId(id) : id;
      if (row['user_id'] !== client.userId) client.violate(sent, 'belongs to another account');
      stored.push({ client, sent, row, items: items.get(id) ?? [] });
    }
  }
  return stored;
}

/** Compares a batch with what was sent. */
export function auditBatch({ client, sent, row, items }: StoredBatch): void {
  const violate = (what: string): void => {
    client.violate(sent, what);
  };
  const { status, total, errors } = row;
  client.world.journal.count(`ended as ${String(status)}`);
  const ends = [
    ...(sent.faultyLine === undefined ? ['completed'] : ['failed']),
    ...(sent.actions.has('cancel') ? ['cancelled'] : []),
    ...(sent.actions.has('expire') ? ['expired'] : []),
  ];
  if (!ends.includes(String(status))) violate(`ended as ${String(status)}: ${JSON.stringify(errors)}`);
  if (status === 'failed' && at(errors, 0, 'line') !== sent.faultyLine)
    violate(`has the faults ${JSON.stringify(errors)}, and not one of line ${String(sent.faultyLine)}`);
  for (const column of USAGE_COLUMNS) {
    const sum = items.reduce((all, item) => all + Number(item[column]), 0);
    if (sum !== Number(row[column])) violate(`has ${String(row[column])} ${column}, and its requests ${sum}`);
  }
  if (total === null) {
    if (status === 'completed' || items.length > 0)
      violate(`has ${items.length} requests, and was never validated`);
    return;
  }
  const expected = sent.requests.map(({ line, customId }) => `${String(line)} ${customId}`);
  const found = items.map((item) => `${String(item['line'])} ${String(item['custom_id'])}`);
  if (expected.join() !== found.join()) violate(`has the requests ${found.join()}`);
  auditCounts({ client, sent, row, items });
  for (const [index, item] of items.entries()) {
    const request = sent.requests[index];
    if (request !== undefined) auditItem(client, sent, request, item);
  }
}

function auditCounts({ client, sent, row, items }: StoredBatch): void {
  const count = (...statuses: string[]): number =>
    items.filter(({ status }) => statuses.includes(String(status))).length;
  const counted = [count('completed'), count('failed'), count('cancelled', 'expired'), items.length];
  const { completed_count: completed, failed_count: failed, skipped_count: skipped, total } = row;
  if ([completed, failed, skipped, total].join() !== counted.join())
    client.violate(sent, `counts ${[completed, failed, skipped, total].join()}, and has ${counted.join()}`);
  if (row['status'] === 'completed' && skipped !== 0)
    client.violate(sent, `is completed without ${String(skipped)} of its requests`);
}

/** Checks that a request has the result that its message and the actions of the account explain. */
function auditItem(client: BatchClient, sent: SentBatch, request: SentRequest, item: Row): void {
  const {
    status,
    error_code: code,
    response,
    response_status: responseStatus,
    attempts,
    lost_leases: lost,
  } = item;
  const { customId, text, model } = request;
  client.world.journal.count(`requests ${String(status)}`);
  const body: unknown = typeof response === 'string' ? JSON.parse(response) : undefined;
  const isExplained = ((): boolean => {
    switch (status) {
      case 'completed':
        client.checkResponse(sent, customId, String(item['request_id']));
        return at(body, 'choices', 0, 'message', 'content') === text && responseStatus === 200;
      case 'failed':
        if (model === UNKNOWN_MODEL)
          return responseStatus === 404 && at(body, 'error', 'code') === 'model_not_found';
        if (code === 'internal_error') return Number(lost) >= BOUNDS.lostLeases;
        return Number(attempts) >= BOUNDS.attempts && at(body, 'error', 'code') === 'provider_error';
      case 'cancelled':
        return sent.actions.has('cancel') && code === 'batch_cancelled' && response === null;
      case 'expired':
        return sent.actions.has('expire') && code === 'batch_expired' && response === null;
      default:
        return false;
    }
  })();
  if (!isExplained)
    client.violate(
      sent,
      `${customId} is ${String(status)} (${String(code)}) after ${String(attempts)} attempts and ${String(lost)} lost leases with ${JSON.stringify(response)}, and was '${text}' for ${model}`,
    );
}

/** Compares the results that the account reads with the rows: each request once, in the order of the input. */
export async function auditResults({ client, sent, items }: StoredBatch): Promise<void> {
  const random = client.world.random.fork();
  const idsOf = (...statuses: string[]): string[] =>
    items.filter(({ status }) => statuses.includes(String(status))).map((item) => String(item['custom_id']));
  const all = ['completed', 'failed', 'cancelled', 'expired'];
  if (!isOpenAiBatch(sent)) {
    const results = await client.requestAnswered(random, 'GET', `${client.pathOf(sent)}/results`);
    compareIds({ client, sent, what: 'results', lines: linesOf(results?.body), expected: idsOf(...all) });
    return;
  }
  const batch = await client.requestAnswered(random, 'GET', client.pathOf(sent));
  for (const [what, statuses] of [
    ['output_file_id', ['completed']],
    ['error_file_id', ['failed', 'cancelled', 'expired']],
  ] as const) {
    const id = at(batch?.body, what);
    const file =
      typeof id === 'string'
        ? await client.requestAnswered(random, 'GET', `/v1/files/${id}/content`)
        : undefined;
    compareIds({ client, sent, what, lines: linesOf(file?.body ?? ''), expected: idsOf(...statuses) });
  }
}

function compareIds({
  client,
  sent,
  what,
  lines,
  expected,
}: {
  readonly client: BatchClient;
  readonly sent: SentBatch;
  readonly what: string;
  readonly lines: readonly unknown[];
  readonly expected: readonly string[];
}): void {
  const read = lines.map((line) => String(at(line, 'custom_id')));
  client.world.journal.count('results read', read.length);
  if (read.join() !== expected.join())
    client.violate(sent, `${what}: ${read.join()} instead of ${expected.join()}`);
}

/** Parses lines of JSON; a single one was parsed already. */
function linesOf(body: unknown): unknown[] {
  if (typeof body !== 'string') return body === undefined ? [] : [body];
  return body
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

/** Polls all batches, and checks that this changes no row. */
export async function auditPolls(
  { database, journal, random }: BatchWorld,
  stored: readonly StoredBatch[],
  polls: number,
): Promise<void> {
  if (stored.length === 0) return;
  const before = await digestOf(database);
  for (let poll = 0; poll < polls; poll += 1) {
    const { client, sent } = random.pick(stored);
    const body = await client.poll(sent, random.fork());
    if (body === undefined) client.violate(sent, 'does not answer after the storm');
    if (poll % 10 === 0) await client.readResults(sent, random.fork());
  }
  if ((await digestOf(database)) !== before) journal.violate('the polls', 'have changed rows');
}

/** Checks that the lists of an account have the batches that are stored. */
export async function auditLists(client: BatchClient, stored: readonly StoredBatch[]): Promise<void> {
  const random = client.world.random.fork();
  for (const [path, isOpenAi] of [
    ['/api/v1/batch?limit=100', false],
    ['/v1/batches?limit=100', true],
  ] as const) {
    const list = await client.requestAnswered(random, 'GET', path);
    const listed = listAt(list?.body, 'data').map((batch) => String(at(batch, isOpenAi ? 'id' : 'job_id')));
    const own = stored.filter((one) => one.client === client && isOpenAiBatch(one.sent) === isOpenAi);
    const expected = own.map(({ sent }) => String(sent.id));
    if (listed.toSorted().join() !== expected.toSorted().join())
      client.world.journal.violate(client.name, `lists ${listed.join()}, and has ${expected.join()}`);
  }
}
