import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { OWNED_TABLES, STORED_FILE_TABLES } from '../../src/features/users/account-deletion.repository.js';
import type { TestDatabase } from './database.js';
import { query } from './stored.js';

/**
 * Stores conversations of an account, each a path of messages with search words, attachments and usage.
 * Triggers are disabled, because they would index the words of each text.
 */
export async function fillAccount(
  { url }: Pick<TestDatabase, 'url'>,
  userId: string,
  { conversations, messages }: { readonly conversations: number; readonly messages: number },
): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('SET session_replication_role = replica');
    // Ids are derived from this seed, so that each message can reference the previous one. They ascend like
    // those of the product: random ids would be spread over the indexes, which takes longer.
    const seed = randomUUID().replaceAll('-', '').slice(0, 12);
    const values = [userId, conversations, messages, seed];
    await client.query(
      `INSERT INTO conversations (id, user_id, title, next_position)
       SELECT ${idOf('0')}, $1::uuid, 'Filled ' || c, $3::int FROM generate_series(1, $2::int) AS c`,
      values,
    );
    await client.query(
      `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content)
       SELECT ${idOf('m + 1')}, ${idOf('0')}, $1::uuid, CASE WHEN m > 0 THEN ${idOf('m')} END, m,
         (CASE m % 2 WHEN 0 THEN 'user' ELSE 'assistant' END)::message_role, 'complete', repeat('word ', 40)
       FROM generate_series(1, $2::int) AS c, generate_series(0, $3::int - 1) AS m`,
      values,
    );
    await client.query(
      `UPDATE conversations SET leaf_message_id =
         (SELECT id FROM messages WHERE conversation_id = conversations.id ORDER BY position DESC LIMIT 1)
       WHERE user_id = $1::uuid AND leaf_message_id IS NULL`,
      [userId],
    );
    await client.query(
      `INSERT INTO message_words (message_id, user_id, conversation_id, position, words)
       SELECT id, user_id, conversation_id, position, 'word'::tsvector FROM messages WHERE user_id = $1::uuid
       ON CONFLICT DO NOTHING`,
      [userId],
    );
    await client.query(
      `INSERT INTO usage_records (id, call_id, attempt, user_id, conversation_id, provider, model, outcome, input_tokens, output_tokens, estimated)
       SELECT id, id, 1, user_id, conversation_id, 'p', 'm', 'completed', 1, 1, false
       FROM messages WHERE user_id = $1::uuid AND role = 'assistant' ON CONFLICT DO NOTHING`,
      [userId],
    );
    await client.query(
      `INSERT INTO attachments (message_id, ordinal, user_id, name, media_type)
       SELECT id, 0, user_id, 'a.txt', 'text/plain' FROM messages WHERE user_id = $1::uuid AND position % 10 = 0 ON CONFLICT DO NOTHING`,
      [userId],
    );
  } finally {
    await client.end();
  }
}

/** Stores rows of files of an account, without bytes: each with its own content, text, page and idempotency key. */
export async function fillFiles(
  database: Pick<TestDatabase, 'url'>,
  userId: string,
  count: number,
): Promise<void> {
  await query(
    database,
    `WITH contents AS (
       INSERT INTO file_contents (id, user_id, hash, size)
       SELECT gen_random_uuid(), $1, sha256(n::text::bytea), 1 FROM generate_series(1, $2::int) AS n RETURNING id, hash
     ), texts AS (
       INSERT INTO file_texts (content_id, format, user_id, status, due_at)
       SELECT id, 'text', $1, 'ready', NULL FROM contents RETURNING content_id
     ), pages AS (
       INSERT INTO file_pages (content_id, format, page, user_id, text)
       SELECT content_id, 'text', 1, $1, repeat('word ', 40) FROM texts
     ), stored AS (
       INSERT INTO files (id, user_id, name, media_type, size, hash, content_id, text_format)
       SELECT gen_random_uuid(), $1, 'a.txt', 'text/plain', 1, hash, id, 'text' FROM contents RETURNING id
     )
     INSERT INTO upload_keys (user_id, route, key, fingerprint, file_id)
     SELECT $1, 'POST /api/v1/files', id::text, ''::bytea, id FROM stored`,
    [userId, count],
  );
}

/** Stores two batches of an account that have ended, the larger one with `count` items. */
export async function fillBatches(
  database: Pick<TestDatabase, 'url'>,
  userId: string,
  count: number,
): Promise<void> {
  await query(
    database,
    `WITH batch AS (
       INSERT INTO batches (id, user_id, api, endpoint, status, total, expires_at, ended_at)
       SELECT gen_random_uuid(), $1, 'parley', '/v1/chat/completions', 'completed', total, now(), now()
       FROM unnest(ARRAY[1, $2::int]) AS total RETURNING id, total
     )
     INSERT INTO batch_items (batch_id, user_id, line, custom_id, request, lane, status)
     SELECT batch.id, $1, line, line::text, '{}', 'demo', 'completed' FROM batch, generate_series(1, batch.total) AS line`,
    [userId, count],
  );
}

/** Returns SQL for the id of conversation `c`, or of one of its messages, after the 12 digits in `$4`. */
const idOf = (number: string): string =>
  `($4 || '70008' || lpad(to_hex(c), 3, '0') || lpad(to_hex(${number}), 12, '0'))::uuid`;

/** Counts the rows of an account by table; tables without any are left out. */
export async function rowsOf(
  database: Pick<TestDatabase, 'url'>,
  userId: string,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of [...OWNED_TABLES, ...STORED_FILE_TABLES, 'batch_items', 'messages', 'message_words']) {
    const [row] = await query(database, `SELECT count(*)::int AS n FROM ${table} WHERE user_id = $1`, [
      userId,
    ]);
    counts[table] = Number(row?.['n']);
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
