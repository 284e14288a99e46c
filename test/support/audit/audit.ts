import { expectSettled, query, type Row, stored } from '../stored.js';
import { auditAskings } from './audit-askings.js';
import type { Kill } from './process-group.js';
import type { View } from './view.js';
import type { World } from './world.js';

/**
 * Maximum age before a kill of displayed text that may be missing without Redis, in milliseconds: a
 * checkpoint is stored each second, and takes a moment itself on a busy machine. While the database is
 * unavailable none is stored.
 */
const UNSTORED_MS = 1000 + 750;

/** Total duration of disconnects that may cost an answer its lease of 15 s, in milliseconds. */
const LEASE_IN_DOUBT_MS = 8000;

/**
 * Time after a disconnect during which Redis may lack displayed text, in milliseconds, because a new
 * connection is set up.
 */
const UNLOGGED_MS = 1500;

/**
 * Time after a kill during which its last text may reach the client, in milliseconds, from a socket's buffer.
 */
const UNDERWAY_MS = 500;

/**
 * Compares the stored data with the data that clients saw, once nothing runs any more. Adds violations to the
 * journal.
 */
export async function audit(world: World, views: readonly View[]): Promise<void> {
  const answers = new Map(
    (await query(world.database, `SELECT * FROM messages WHERE role = 'assistant'`)).map((row) => [
      String(row['id']),
      row,
    ]),
  );
  await auditAskings(world);
  auditTexts(world, answers);
  auditInterruptions(world, answers);
  for (const view of views) auditView(world, view, answers.get(view.answerId));
  for (const { answerId, content, status } of world.reportedEnds) {
    const row = answers.get(answerId);
    if (row?.['content'] !== content || row?.['status'] !== status) {
      world.journal.violate(answerId, `a stop reported ${String(status)} ${JSON.stringify(content)}`);
    }
  }
  await auditConversations(world);
}

/** Checks that each answer is a prefix of a text that one provider generated for it alone. */
function auditTexts({ texts, journal }: World, answers: ReadonlyMap<string, Row>): void {
  const owners = new Map<string, string>();
  for (const [id, { content, status, finish_reason, model, error_code }] of answers) {
    journal.count(`answers ${String(status)}${status === 'failed' ? ` (${String(error_code)})` : ''}`);
    if (status === 'generating') journal.violate(id, 'is still being generated');
    if (typeof content !== 'string' || content === '') continue;
    const source = texts.has(content) ? content : texts.values().find((text) => text.startsWith(content));
    if (source === undefined) {
      journal.violate(id, `is nothing that a provider said: ${JSON.stringify(content)}`);
    } else if (status === 'complete' && finish_reason === 'stop' && source !== content) {
      journal.violate(id, `is complete with ${content.length} of ${source.length}`);
    } else {
      const provider = /^<(\w+)/.exec(source)?.[1] ?? '';
      // A process that dies early has stored only the requested model.
      if (model !== `${provider}/model` && !(model === 'chain' && status === 'interrupted')) {
        journal.violate(id, `is said to be of ${String(model)}: ${content}`);
      }
      const other = owners.get(source);
      if (other !== undefined) journal.violate(id, `has the text of ${other}`);
      owners.set(source, id);
    }
  }
}

/**
 * Checks that an answer with text is interrupted only by a kill: a process that loses a store for seconds
 * still has the text and continues. Only the confirmation that a question is stored may be lost, and then it
 * is not answered.
 */
function auditInterruptions({ kills, outages, journal }: World, answers: ReadonlyMap<string, Row>): void {
  for (const [id, { content, status, finish_reason, created_at, completed_at }] of answers) {
    if (status !== 'interrupted' || finish_reason !== null || content === '') continue;
    const [from, to] = [momentOf(created_at), momentOf(completed_at)];
    if (kills.some(({ at }) => at > from && at < to)) continue;
    const awayMs = outages.reduce((sum, outage) => {
      return sum + Math.max(0, Math.min(outage.to, to) - Math.max(outage.from, from));
    }, 0);
    // Several disconnects in a row may outlast a lease.
    if (awayMs < LEASE_IN_DOUBT_MS) journal.violate(id, 'was interrupted, and no process was killed');
  }
}

/** Converts a time of the database to one of this process. */
function momentOf(time: unknown): number {
  return Number(time) - performance.timeOrigin;
}

function auditView(world: World, view: View, row: Row | undefined): void {
  if (row === undefined) {
    view.violate('the answer is not stored');
    return;
  }
  const { content, status } = row;
  const { journal } = world;
  const text = String(content);
  journal.note(
    view.answerId,
    `is stored as ${String(status)} of attempt ${Number(row['attempt'])}, ${text.length} long`,
  );
  // The outcome is sent after all of the text.
  const wholly = view.finished || (view.begun && view.failure !== undefined && status === 'failed');
  if (wholly && view.text !== text) {
    view.violate(`saw the end of ${view.text.length} of ${text.length}: ${difference(view.text, text)}`);
  }
  for (const seen of view.seen) {
    // Dropped for a later attempt, or left before there was one.
    if (seen.attempt < Number(row['attempt'])) continue;
    const same = seen.attempt === Number(row['attempt']);
    const kept = same ? commonLength(seen.text, text) : 0;
    const missing = !same || kept < seen.text.length;
    if (missing) journal.count('texts of which a part was lost');
    if (same && missing && kept < text.length) {
      view.violate(`saw another text: ${difference(seen.text, text)}`);
    } else if (missing && !couldBeLost(world, seen.growth, same ? kept : -1)) {
      view.violate(`saw ${seen.attempt}.${seen.text.length}, of which ${kept} is stored`);
    } else if (!missing && seen.takenBack) view.violate('had to begin again for nothing');
  }
}

/** Checks that all text seen beyond a length arrived when only a process that was then killed had it. */
function couldBeLost(
  world: World,
  growth: readonly { readonly length: number; readonly at: number }[],
  kept: number,
): boolean {
  const first = growth.find(({ length }) => length > kept);
  return (
    first !== undefined &&
    world.kills.some((kill) => {
      return first.at > unstoredSince(world, kill) && first.at < kill.at + UNDERWAY_MS;
    })
  );
}

/**
 * Returns the time since when only the killed process had new text: never if Redis received it throughout.
 */
function unstoredSince({ logged, outages }: World, kill: Kill): number {
  const own = outages.filter(({ process, from }) => process === kill.process && from < kill.at);
  let since = kill.at - UNSTORED_MS;
  // The latest first: there may have been another shortly before it, without time for a checkpoint in
  // between.
  for (const { from, to } of own.filter(({ store }) => store === 'database').reverse()) {
    if (to + UNSTORED_MS > since) since = Math.min(since, from - UNSTORED_MS);
  }
  if (!logged) return since;
  const unlogged = own.filter(({ store, to }) => store === 'redis' && to + UNLOGGED_MS > since);
  return Math.max(since, Math.min(...unlogged.map(({ from }) => from)));
}

function commonLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && length < other.length && one[length] === other[length]) length += 1;
  return length;
}

function difference(one: string, other: string): string {
  const from = commonLength(one, other);
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, from - 10), from + 20));
  return `at ${from} ${around(one)} is not ${around(other)}`;
}

/** Checks positions, parents, totals and the ledger of every conversation. */
async function auditConversations({ database, journal }: World): Promise<void> {
  for (const { id } of await query(database, 'SELECT id FROM conversations')) {
    try {
      expectSettled(await stored(database, String(id)));
    } catch (error) {
      journal.violate(String(id), `the conversation is not settled: ${String(error)}`);
    }
  }
  const sums = await query(
    database,
    `SELECT c.id, c.tokens_total, c.cost_micro_usd, c.unpriced_attempts,
       coalesce(sum(u.input_tokens + u.output_tokens), 0) AS tokens, coalesce(sum(u.cost_micro_usd), 0) AS cost,
       count(u.id) FILTER (WHERE u.cost_micro_usd IS NULL) AS unpriced
     FROM conversations c LEFT JOIN usage_records u ON u.conversation_id = c.id GROUP BY c.id`,
  );
  for (const row of sums) {
    const totals = [row['tokens_total'], row['cost_micro_usd'], row['unpriced_attempts']].map(String);
    const used = [row['tokens'], row['cost'], row['unpriced']].map(String);
    if (totals.join() !== used.join()) {
      journal.violate(String(row['id']), `the totals ${totals.join()} are not the sums ${used.join()}`);
    }
  }
  const strays = await query(
    database,
    `SELECT u.call_id FROM usage_records u LEFT JOIN messages m
       ON m.id = u.call_id AND m.conversation_id = u.conversation_id AND m.role = 'assistant'
     WHERE m.id IS NULL`,
  );
  for (const row of strays)
    journal.violate(String(row['call_id']), 'is billed, and is no answer of its conversation');
  const unbilled = await query(
    database,
    `SELECT m.id, count(u.id) AS completed FROM messages m
     LEFT JOIN usage_records u ON u.call_id = m.id AND u.outcome = 'completed'
     WHERE m.role = 'assistant' AND m.status = 'complete' GROUP BY m.id HAVING count(u.id) <> 1`,
  );
  for (const row of unbilled)
    journal.violate(String(row['id']), `is billed ${String(row['completed'])} times`);
}
