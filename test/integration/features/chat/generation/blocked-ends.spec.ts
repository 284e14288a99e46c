// Real components: the API on a socket, PostgreSQL and the provider's protocol. Turns cannot be finished because the rows
// of their conversations are locked.
import { expect, it } from '@jest/globals';
import pg from 'pg';
import { beginStream, type BegunStream } from '../../../../support/answers.js';
import { asking } from '../../../../support/api.js';
import { collect } from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../../support/set-up.js';
import { expectSettled, query, stored, until } from '../../../../support/stored.js';

/** More than the pool has connections. */
const BLOCKED = 14;

const provider = setUpProvider();
const api = setUpApi(() => ({ ...asking(provider), RATE_LIMIT_CONCURRENCY: '50' }));
const user = setUpUser(api, 'test');

/** Counts the statements of the server that wait for a lock. */
async function countWaiting(): Promise<number> {
  const [row] = await query(
    api.database,
    `SELECT count(*)::int AS waiting FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'parley' AND wait_event_type = 'Lock'`,
  );
  return Number(row?.['waiting']);
}

it('turns that wait to be finished leave connections to those that begin, and all are stored in the end', async () => {
  const gate = gatedAnswer(['an answer']);
  provider.setDefault(gate);
  const turns: BegunStream[] = [];
  while (turns.length < BLOCKED) turns.push(await beginStream(provider, user));
  const locker = new pg.Client({ connectionString: api.database.url });
  await locker.connect();
  try {
    await locker.query('BEGIN; SELECT FROM conversations FOR UPDATE');
    gate.finish();
    // Two thirds of ten connections.
    await until('as many as may wait', async () => (await countWaiting()) === 6);

    provider.setDefault(gatedAnswer(['another']));
    const another = await beginStream(provider, user, { message: 'Hello' });
    expect(await countWaiting()).toBe(6);
    await another.events.return(undefined);
  } finally {
    await locker.query('COMMIT');
    await locker.end();
  }
  for (const { events, conversationId } of turns) {
    await collect(events);
    const conversation = await stored(api.database, conversationId);
    expect(conversation.messages.at(-1)).toMatchObject({ status: 'complete', content: 'an answer' });
    expectSettled(conversation);
  }
});
