// Real components: the built server as a process that is killed, PostgreSQL, a receiver on the loopback network. A trigger
// holds the server between a delivery and the commit of its result: it waits for an advisory lock that the test has.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import pg from 'pg';
import { newId } from '../../src/common/ids.js';
import { serializeWebhookEvent, webhookEventId } from '../../src/features/webhooks/model/webhook-event.js';
import { idOf } from '../support/accounts.js';
import { registerUser } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { addHoldFunction, expireJobLocks, holdAt, holdTrigger, killHeldServer } from '../support/kill-at.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query } from '../support/stored.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';
import { deliveriesOf, makeWebhook, untilDelivery } from '../support/webhooks.js';

const RESULT = { name: 'result', lock: 91 };

let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let database: TestDatabase;
let holder: pg.Client;
let receiver: WebhookReceiver;
let server: ServerProcess;

function start(): ServerProcess {
  return startServer({
    DATA_DIR: dataDir.path,
    DATABASE_URL: database.url,
    WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1',
  });
}

beforeAll(async () => {
  dataDir = await makeDataDir();
  database = await createMigratedDatabase();
  receiver = await WebhookReceiver.start();
  holder = new pg.Client({ connectionString: database.url });
  await holder.connect();
  await addHoldFunction(holder);
  await holder.query(
    holdTrigger(
      RESULT,
      'UPDATE ON webhook_deliveries',
      "NEW.status = 'delivered' AND OLD.status = 'pending'",
    ),
  );
  server = start();
}, 150_000);

afterAll(async () => {
  await server.end('SIGKILL');
  await holder.end();
  await receiver.close();
  await database.drop();
  await dataDir.remove();
});

it('a delivery whose server is killed with SIGKILL before it has stored the result is sent again with the same id', async () => {
  const user = await registerUser(await server.ready);
  const userId = await idOf(user);
  const { id: webhookId, secret } = await makeWebhook(user, `${receiver.origin}/hook`);
  const event = { userId, type: 'batch.completed', objectId: 'batch_1' } as const;
  // What a transaction of another process commits; the sweep finds it.
  await holdAt(RESULT, holder, async () => {
    await query(
      database,
      `INSERT INTO webhook_deliveries (id, webhook_id, user_id, event_id, type, object_id, body)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [
        newId(),
        webhookId,
        userId,
        webhookEventId(event),
        event.type,
        event.objectId,
        serializeWebhookEvent(event, Date.now()),
      ],
    );
  });
  expect(await receiver.received('/hook')).toHaveLength(1);
  await killHeldServer(server, holder, [RESULT]);
  expect(await deliveriesOf({ database }, webhookId)).toMatchObject([{ status: 'pending', attempts: 1 }]);
  // Makes the claims of the dead process expire now.
  await expireJobLocks(database);
  await query(database, "UPDATE webhook_deliveries SET due_at = now() - interval '1 second'");
  server = start();
  await server.ready;
  await untilDelivery({ database }, webhookId, { status: 'delivered', attempts: 2 });
  const requests = await receiver.received('/hook', 2);
  expect(requests).toHaveLength(2);
  expect(new Set(requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  const client = new OpenAI({ apiKey: 'unused' });
  for (const { body, headers } of requests) {
    const texts = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
    expect(await client.webhooks.unwrap(body, new Headers(texts), secret)).toMatchObject({
      data: { id: 'batch_1' },
    });
  }
}, 300_000);
