import { setTimeout as delay } from 'node:timers/promises';
import { expect } from '@jest/globals';
import pg from 'pg';
import type { TestDatabase } from './database.js';

/** A row returned by PostgreSQL. */
export type Row = Record<string, unknown>;

/** A conversation in the database with its messages and usage. */
export interface StoredConversation {
  /** Undefined if it was deleted. */
  readonly conversation: Row | undefined;
  /** Messages by position. */
  readonly messages: readonly Row[];
  readonly usage: readonly Row[];
}

/** Maximum time for an expected event, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Interval of checks, in milliseconds. */
const LOOK_EVERY_MS = 20;

/** Time after which a connection that is not used is closed, in milliseconds. */
const IDLE_MS = 1_000;

/** Connections of the tests of a file by their URL. A new one would cost ten times the processor time of a statement. */
const pools = new Map<string, pg.Pool>();

/** Runs a statement on a connection independent of the application, and returns the rows. */
export async function query(
  { url }: Pick<TestDatabase, 'url'>,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  return (await poolOf(url).query<Row>(sql, [...values])).rows;
}

function poolOf(connectionString: string): pg.Pool {
  const known = pools.get(connectionString);
  if (known !== undefined) return known;
  const pool = new pg.Pool({ connectionString, idleTimeoutMillis: IDLE_MS, allowExitOnIdle: true });
  // Connections end with their database, between two statements too; the pool drops them.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  pools.set(connectionString, pool);
  return pool;
}

/** Reads a conversation in one snapshot; counts and sums are numbers. */
export async function stored(
  database: Pick<TestDatabase, 'url'>,
  conversationId: string,
): Promise<StoredConversation> {
  const client = await poolOf(database.url).connect();
  try {
    const rows = async (sql: string): Promise<Row[]> => (await client.query<Row>(sql, [conversationId])).rows;
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const [conversation] = await rows(
      `SELECT id, system_prompt, next_position, leaf_message_id, tokens_total::int, cost_micro_usd::int, updated_at
       FROM conversations WHERE id = $1`,
    );
    const messages = await rows(
      `SELECT id, parent_id, position, active, role, status, content, token_count, model, input_tokens, output_tokens,
         cost_micro_usd::int, finish_reason, error_code, error_message, warning, lease_until, completed_at
       FROM messages WHERE conversation_id = $1 ORDER BY position`,
    );
    const usage = await rows(
      `SELECT call_id, attempt, provider, model, outcome, input_tokens, output_tokens, estimated
       FROM usage_records WHERE conversation_id = $1 ORDER BY created_at`,
    );
    await client.query('COMMIT');
    client.release();
    return { conversation, messages, usage };
  } catch (error) {
    // Closes the connection, and with it the transaction.
    client.release(true);
    throw error;
  }
}

/** Checks the invariants of every conversation without a running answer. */
export function expectSettled({ conversation, messages, usage }: StoredConversation): void {
  expect(messages.map(({ position }) => position)).toEqual(messages.keys().toArray());
  const path = messages.filter(({ active }) => active);
  // The active path starts at a root, and each message has an earlier one as parent.
  expect(path.map(({ parent_id }) => parent_id)).toEqual([null, ...path.slice(0, -1).map(({ id }) => id)]);
  const positions = new Map(messages.map(({ id, position }) => [id, Number(position)]));
  for (const { parent_id, position } of messages) {
    if (parent_id !== null) expect(positions.get(parent_id)).toBeLessThan(Number(position));
  }
  expect(messages.filter(({ status }) => status === 'generating')).toEqual([]);
  expect(messages.filter(({ lease_until }) => lease_until !== null)).toEqual([]);
  const tokens = usage.reduce(
    (sum, row) => sum + Number(row['input_tokens']) + Number(row['output_tokens']),
    0,
  );
  expect(conversation).toMatchObject({
    next_position: messages.length,
    leaf_message_id: path.at(-1)?.['id'],
    tokens_total: tokens,
  });
}

/** Repeats a check until it returns a value. Fails with `what` after the given time. */
export async function until<Seen>(
  what: string,
  look: () => Promise<Seen | undefined | false> | Seen | undefined | false,
  patienceMs = PATIENCE_MS,
): Promise<Seen> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`Waited ${patienceMs} ms in vain for: ${what}.`);
    await delay(LOOK_EVERY_MS);
  }
}

/** Waits until the last message of a conversation is no longer `generating`, and returns the conversation. */
export async function untilSettled(
  database: Pick<TestDatabase, 'url'>,
  conversationId: string,
): Promise<StoredConversation> {
  return until(`the end of the turn in ${conversationId}`, async () => {
    const conversation = await stored(database, conversationId);
    const last = conversation.messages.at(-1);
    return last !== undefined && last['status'] !== 'generating' && conversation;
  });
}
