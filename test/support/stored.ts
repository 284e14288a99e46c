import { setTimeout as delay } from 'node:timers/promises';
import { expect } from '@jest/globals';
import pg from 'pg';
import type { TestDatabase } from './database.js';

/** A row as PostgreSQL gives it. */
export type Row = Record<string, unknown>;

/** A conversation as it stands in the database, with everything that belongs to it. */
export interface StoredConversation {
  /** Undefined where it is gone. */
  readonly conversation: Row | undefined;
  /** By position. */
  readonly messages: readonly Row[];
  readonly usage: readonly Row[];
}

/** How long something that must happen may take, in milliseconds. */
const PATIENCE_MS = 15_000;

/** How often it is looked at, in milliseconds. */
const LOOK_EVERY_MS = 20;

/** The rows of one statement on a connection of its own, which nothing of the application can disturb. */
export async function query(
  database: Pick<TestDatabase, 'url'>,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  return connected(database, async (client) => (await client.query<Row>(sql, [...values])).rows);
}

/** What is stored of a conversation, all at one moment; counts and sums as numbers. */
export async function stored(
  database: Pick<TestDatabase, 'url'>,
  conversationId: string,
): Promise<StoredConversation> {
  return connected(database, async (client) => {
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
    return { conversation, messages, usage };
  });
}

async function connected<Result>(
  { url }: Pick<TestDatabase, 'url'>,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Checks what must hold in every conversation in which nothing runs, whatever happened to it. */
export function expectSettled({ conversation, messages, usage }: StoredConversation): void {
  expect(messages.map(({ position }) => position)).toEqual(messages.keys().toArray());
  const path = messages.filter(({ active }) => active);
  // A path that goes back to its beginning, and trees of which each message hangs on an earlier one.
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

/** Looks again and again until there is something to see. Fails with `what` where it does not come in time. */
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

/** The conversation once its last message has a status other than `generating`. */
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
