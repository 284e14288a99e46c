import { countWords } from '../fake-provider/answer.js';
import { query, type Row } from '../stored.js';
import type { StoredBatch } from './batch-audit.js';
import type { BatchClient } from './batch-client.js';
import type { ItemCalls } from './batch-provider.js';
import { BATCH_SLOTS, type BatchWorld } from './batch-world.js';

/** The claims of an item, and those that ended without a result. */
interface ItemRuns {
  claimed: number;
  expired: number;
  released: number;
}

const NO_CALLS: ItemCalls = { answered: 0, failed: 0 };
const NO_RUNS: ItemRuns = { claimed: 0, expired: 0, released: 0 };

/** Figures of the calls of a run. */
export interface CallFigures {
  /** Number of answers of providers to requests that had been answered before. */
  readonly askedAgain: number;
  /** Number of leases that ran out. */
  readonly expired: number;
}

/**
 * Compares the requests that the providers received with the claims, the results and the ledger: each request is sent
 * once for each claim, and billed at most as often as it was answered.
 */
export async function auditCalls(
  world: BatchWorld,
  clients: readonly BatchClient[],
  stored: readonly StoredBatch[],
): Promise<CallFigures> {
  const calls = new Map<string, ItemCalls>();
  for (const provider of world.providers) provider.countCalls(calls);
  const runs = await readRuns(world);
  let askedAgain = 0;
  for (const batch of stored)
    for (const [index, item] of batch.items.entries()) {
      const request = batch.sent.requests[index];
      const own = calls.get(request?.text ?? '') ?? NO_CALLS;
      askedAgain += Math.max(0, own.answered - 1);
      auditItemCalls(batch, item, own, runs.get(keyOf(item)) ?? NO_RUNS);
    }
  for (const client of clients) await auditAccount(world, client, calls);
  const expired = runs.values().reduce((sum, run) => sum + run.expired, 0);
  const { journal } = world;
  journal.count(
    'calls',
    calls.values().reduce((sum, { answered, failed }) => sum + answered + failed, 0),
  );
  journal.count(
    'failed calls',
    calls.values().reduce((sum, { failed }) => sum + failed, 0),
  );
  journal.count('requests asked again', askedAgain);
  journal.count('expired leases', expired);
  return { askedAgain, expired };
}

/** Reads the claims of all items, also of deleted ones. */
async function readRuns({ database }: BatchWorld): Promise<ReadonlyMap<string, ItemRuns>> {
  const rows = await query(
    database,
    `SELECT batch_id, line, count(*) FILTER (WHERE event = 'claimed')::int AS claimed,
       count(*) FILTER (WHERE event = 'expired')::int AS expired,
       count(*) FILTER (WHERE event = 'released')::int AS released
     FROM public.batch_run_log GROUP BY batch_id, line`,
  );
  return new Map(
    rows.map((row) => [
      keyOf(row),
      {
        claimed: Number(row['claimed']),
        expired: Number(row['expired']),
        released: Number(row['released']),
      },
    ]),
  );
}

function keyOf(row: Row): string {
  return `${String(row['batch_id'])} ${String(row['line'])}`;
}

function auditItemCalls(
  { client, sent }: StoredBatch,
  item: Row,
  { answered, failed }: ItemCalls,
  { claimed, expired, released }: ItemRuns,
): void {
  const name = String(item['custom_id']);
  const violate = (what: string): void => {
    client.violate(
      sent,
      `${name} ${what}: ${answered} answers, ${failed} failures, ${claimed} claims, ${expired} expired, ${released} released`,
    );
  };
  if (answered > claimed) violate('was sent more often than it was claimed');
  if (item['status'] !== 'completed') return;
  if (answered === 0) violate('has a result, and was never answered');
  const words = countWords(sent.requests[Number(item['line']) - 1]?.text ?? '');
  const isUndisturbed = expired + released === 0 && !sent.actions.has('retry');
  if (isUndisturbed && answered !== 1) violate('was not answered once');
  const [input, output] = [Number(item['input_tokens']), Number(item['output_tokens'])];
  const isBilledOnce = input === words && output === words;
  if (isUndisturbed && failed === 0 && !isBilledOnce)
    violate(`has ${input} and ${output} tokens, and not ${words}`);
  if (output < words || output > answered * words)
    violate(`has ${output} tokens of output, and not ${words} for each answer`);
}

/** Compares the ledger of an account with its batches, and with the answers of the providers. */
async function auditAccount(
  { database, journal }: BatchWorld,
  client: BatchClient,
  calls: ReadonlyMap<string, ItemCalls>,
): Promise<void> {
  const sums = `coalesce(sum(input_tokens), 0)::int AS input, coalesce(sum(output_tokens), 0)::int AS output,
    coalesce(sum(cached_tokens), 0)::int AS cached, coalesce(sum(reasoning_tokens), 0)::int AS reasoning,
    coalesce(sum(cost_micro_usd), 0)::bigint::text AS cost`;
  const [ledger] = await query(
    database,
    `SELECT ${sums}, count(*) FILTER (WHERE cost_micro_usd IS NULL)::int AS unpriced,
       count(*) FILTER (WHERE outcome = 'completed')::int AS completed,
       count(*) FILTER (WHERE outcome = 'cancelled')::int AS cancelled
     FROM usage_records WHERE user_id = $1`,
    [client.userId],
  );
  const [batches] = await query(
    database,
    `SELECT ${sums}, coalesce(sum(unpriced_attempts), 0)::int AS unpriced FROM batches WHERE user_id = $1`,
    [client.userId],
  );
  if (ledger === undefined || batches === undefined) throw new Error('A sum has no row.');
  for (const [column, sum] of Object.entries(batches)) {
    // The usage of deleted batches stays in the ledger.
    const isEqual = client.mayDelete ? Number(ledger[column]) >= Number(sum) : ledger[column] === sum;
    if (!isEqual)
      journal.violate(
        client.name,
        `the ledger has ${String(ledger[column])} ${column}, and the batches ${String(sum)}`,
      );
  }
  const answered = client.batches
    .flatMap(({ requests }) => requests)
    .reduce((sum, { text }) => sum + (calls.get(text)?.answered ?? 0), 0);
  const [completed, cancelled] = [Number(ledger['completed']), Number(ledger['cancelled'])];
  if (completed > answered)
    journal.violate(client.name, `the ledger has ${completed} answers, and the providers gave ${answered}`);
  const unbilled = answered - completed - cancelled;
  if (unbilled > 0) journal.count('answers without usage', unbilled);
}

/**
 * Checks that leases run out for a reason only.
 * @param deaths number of times at which a process may have lost all items that it ran
 */
export function auditExpiredLeases({ journal }: BatchWorld, { expired }: CallFigures, deaths: number): void {
  if (expired > deaths * BATCH_SLOTS)
    journal.violate('the leases', `${expired} ran out, and processes were disturbed ${deaths} times`);
}
