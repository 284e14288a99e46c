import { randomUUID } from 'node:crypto';
import { quantile } from '../statistics.mjs';
import { printFigure, printHeading, round } from './report.mjs';

/** Batches that wait, and the number of items in all of them. */
const MANY = { accounts: 50, batches: 20 };
const ONE = { accounts: 1, batches: 1 };
const ITEMS = 50_000;

/** Slots of a claim, as many as one account may have: both claims take as many items. */
const SLOTS = 7;

/** Greatest time of a claim, as a multiple of that with one batch. */
const GOAL = 1.2;

/**
 * Compares the time of a claim while 1,000 batches of 50 accounts wait with that while one batch waits that has as many
 * items. The claims alternate and are rolled back, and no server runs.
 * @param {import('./deployment.mjs').Environment} environment
 */
export async function measureClaims(environment, { rounds }) {
  printHeading(
    `A claim of ${SLOTS} items while ${MANY.accounts * MANY.batches} batches wait, beside one batch`,
  );
  const many = await seed(environment, MANY);
  const one = await seed(environment, ONE);
  const times = { many: [], one: [] };
  try {
    for (let round = -Math.ceil(rounds / 5); round < rounds; round += 1) {
      for (const [name, deployment] of Object.entries({ many, one })) {
        const ms = await timeClaim(deployment.database);
        if (round >= 0) times[name].push(ms);
      }
    }
  } finally {
    await many.remove();
    await one.remove();
  }
  const [p50, p95] = [0.5, 0.95].map((share) => ({
    many: quantile(times.many, share),
    one: quantile(times.one, share),
  }));
  printFigure('time of a claim', {
    value: p50.many / p50.one,
    unit: 'times',
    atMost: GOAL,
    detail: `p50 ${round(p50.many)} beside ${round(p50.one)} ms, p95 ${round(p95.many)} beside ${round(p95.one)} ms, of ${rounds}`,
  });
}

/** Makes a database with waiting batches, without a server. */
async function seed(environment, { accounts, batches }) {
  const deployment = await environment.deploy();
  await deployment.stopServers();
  const { database } = deployment;
  await database.query(
    `INSERT INTO users (id, email, password_hash)
     SELECT gen_random_uuid(), $2 || number || '@example.com', 'none' FROM generate_series(1, $1::int) AS number`,
    [accounts, randomUUID()],
  );
  await database.query(
    // They have begun, so that no claim changes their status.
    `INSERT INTO batches (id, user_id, api, endpoint, status, started_at, lanes, total, expires_at)
     SELECT gen_random_uuid(), users.id, 'parley', '/v1/chat/completions', 'running', now(), '{openai}', $2::int,
       now() + interval '1 day'
     FROM users, generate_series(1, $1::int)`,
    [batches, ITEMS / accounts / batches],
  );
  await database.query(
    `INSERT INTO batch_items (batch_id, line, user_id, custom_id, request, lane)
     SELECT batches.id, line, user_id, line::text, '{}', 'openai' FROM batches, generate_series(1, total) AS line`,
  );
  await database.query('VACUUM ANALYZE');
  return deployment;
}

function timeClaim(database) {
  return database.rolledBack(async (client) => {
    const sentAt = performance.now();
    const { rows } = await client.query(
      `SELECT * FROM claim_waiting_items('00000000-0000-0000-0000-000000000000', ${SLOTS}, ${SLOTS}, '{}', '{}',
         gen_random_uuid(), 60)`,
    );
    const ms = performance.now() - sentAt;
    if (rows.length !== SLOTS) throw new Error(`A claim got ${rows.length} items.`);
    return ms;
  });
}
