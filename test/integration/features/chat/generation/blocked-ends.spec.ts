// Real components: the API on a socket, PostgreSQL and the provider's protocol. Turns cannot be finished because the rows
// of their conversations are locked.
import { expect, it } from '@jest/globals';
import pg from 'pg';
import { beginStream, type BegunStream } from '../../../../support/answers.js';
import { asking } from '../../../../support/api.js';
import { collect } from '../../../../support/client.js';
import { type GatedAnswer, gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../../support/set-up.js';
import { expectSettled, query, stored, until } from '../../../../support/stored.js';

/** As many as the pool of 10 connections lets end at once. */
const LIMIT = 2;

const provider = setUpProvider();
const api = setUpApi(() => ({ ...asking(provider), RATE_LIMIT_CONCURRENCY: '50' }));
const user = setUpUser(api, 'test');

/** Counts the statements of the server that wait for a lock. */
async function countBlocked(): Promise<number> {
  const [row] = await query(
    api.database,
    `SELECT count(*)::int AS blocked FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'parley' AND wait_event_type = 'Lock'`,
  );
  return Number(row?.['blocked']);
}

/** Begins turns whose answers are generated until the gate opens. */
async function beginTurns(gate: GatedAnswer, count: number): Promise<BegunStream[]> {
  provider.setDefault(gate);
  const turns: BegunStream[] = [];
  while (turns.length < count) turns.push(await beginStream(provider, user));
  return turns;
}

async function expectStored({ events, conversationId }: BegunStream): Promise<void> {
  await collect(events);
  const conversation = await stored(api.database, conversationId);
  expect(conversation.messages.at(-1)).toMatchObject({ status: 'complete', content: 'an answer' });
  expectSettled(conversation);
}

it('locked conversations keep no turn of another from beginning and from ending, and are stored in the end', async () => {
  const gate = gatedAnswer(['an answer']);
  const blocked = await beginTurns(gate, LIMIT);
  const locker = new pg.Client({ connectionString: api.database.url });
  await locker.connect();
  try {
    await locker.query('BEGIN');
    await locker.query('SELECT FROM conversations WHERE id = ANY($1) FOR UPDATE', [
      blocked.map(({ conversationId }) => conversationId),
    ]);
    gate.finish();
    await until('all ends to be blocked', async () => (await countBlocked()) === LIMIT);

    const free = gatedAnswer(['an answer']);
    const others = await beginTurns(free, LIMIT * 3);
    free.finish();
    for (const turn of others) await expectStored(turn);
    // The statement timeout of 8 s may have ended some, which are sent again.
    expect(await countBlocked()).toBeLessThanOrEqual(LIMIT);
  } finally {
    await locker.query('COMMIT');
    await locker.end();
  }
  for (const turn of blocked) await expectStored(turn);
});
