// Real components: the API on a socket with its jobs, PostgreSQL, the queue, receivers on the loopback network, and
// OpenAI's SDK, which verifies the deliveries.
import { beforeEach, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { DeliveryRepository } from '../../../../src/features/webhooks/delivery/delivery.repository.js';
import {
  DELIVERY_RETENTION_MS,
  DeliveryRetention,
} from '../../../../src/features/webhooks/delivery/delivery-retention.js';
import { minIdAt } from '../../../../src/common/ids.js';
import { Clock } from '../../../../src/common/clock.js';
import { idOf } from '../../../support/accounts.js';
import { at, listAt, registerUser, type TestUser } from '../../../support/client.js';
import { scrape } from '../../../support/metrics.js';
import { serviceOf } from '../../../support/retrieval.js';
import { setUpAdmin, setUpApi, setUpApiStarter, setUpResource } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';
import {
  answerWith,
  hang,
  type ReceivedRequest,
  WebhookReceiver,
} from '../../../support/webhook-receiver.js';
import {
  commitEvent,
  deliveriesOf,
  makeDeliveriesDue,
  makeWebhook,
  sendEvent,
  type TestWebhook,
  untilDelivery,
  WEBHOOKS,
} from '../../../support/webhooks.js';

const SETTINGS = { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' };
const FIRST_KEY = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const SECOND_KEY = 'uRi7oKq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9';

const api = setUpApi(SETTINGS);
const admin = setUpAdmin(api);
const start = setUpApiStarter();
const receiver = setUpResource(async () => {
  const resource = await WebhookReceiver.start();
  return { resource, close: () => resource.close() };
});
const client = new OpenAI({ apiKey: 'unused' });

let paths = 0;
let path: string;
let user: TestUser;
let userId: string;

beforeEach(async () => {
  paths += 1;
  path = `/hooks/${paths}`;
  user = await registerUser(api.url);
  userId = await idOf(user);
});

const webhook = (at = path): Promise<TestWebhook> => makeWebhook(user, receiver().origin + at);
const event = (objectId = 'batch_1') => ({ userId, type: 'batch.completed', objectId }) as const;

/** Verifies a request with OpenAI's SDK and returns its event. */
function unwrap({ body, headers }: ReceivedRequest, secret: string): Promise<unknown> {
  const texts = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  return client.webhooks.unwrap(body, new Headers(texts), secret);
}

describe('a delivery', () => {
  it('is verified by the SDK of OpenAI, and listed with its result', async () => {
    const { id, secret } = await webhook();
    await sendEvent(api, event());
    const [request] = await receiver().received(path);
    if (request === undefined) throw new Error('Nothing was received.');
    expect(request.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^Parley\/\d/),
    });
    const received = await unwrap(request, secret);
    expect(received).toEqual({
      id: request.headers['webhook-id'],
      object: 'event',
      type: 'batch.completed',
      created_at: expect.any(Number),
      data: { id: 'batch_1' },
    });
    await expect(unwrap({ ...request, body: `${request.body} ` }, secret)).rejects.toThrow();
    await expect(unwrap(request, `whsec_${'A'.repeat(43)}=`)).rejects.toThrow();
    await untilDelivery(api, id, { status: 'delivered' });
    const list = await user.request('GET', `${WEBHOOKS}/${id}/deliveries`);
    expect(list.body).toMatchObject({
      object: 'list',
      has_more: false,
      data: [
        {
          event_id: request.headers['webhook-id'],
          type: 'batch.completed',
          object_id: 'batch_1',
          status: 'delivered',
          attempts: 1,
          status_code: 200,
          error: null,
          next_attempt_at: null,
          delivered_at: expect.any(String),
        },
      ],
    });
    const count = 'parley_webhook_delivery_attempt_duration_seconds_count';
    expect((await scrape(api.url)).sum(count, { delivery_result: 'delivered' })).toBeGreaterThan(0);
  });

  it('is found by the sweep if its announcement is lost', async () => {
    const { id } = await webhook();
    await commitEvent(api, event());
    await untilDelivery(api, id, { status: 'delivered' });
  });

  it('is repeated with the same id and body after failures, with a new time and a valid signature', async () => {
    const { id, secret } = await webhook();
    receiver().script(path, 500, answerWith(307, { location: `${receiver().origin}/elsewhere` }), 200);
    await sendEvent(api, event());
    const failed = await untilDelivery(api, id, { attempts: 1, lease_id: null });
    expect(failed).toMatchObject({ status: 'pending', last_status_code: 500, last_error: 'rejected' });
    expect(failed['due_at']).toBeInstanceOf(Date);
    await makeDeliveriesDue(api, id);
    const redirected = await untilDelivery(api, id, { attempts: 2, lease_id: null });
    expect(redirected).toMatchObject({ status: 'pending', last_status_code: 307, last_error: 'redirected' });
    await makeDeliveriesDue(api, id);
    await untilDelivery(api, id, { status: 'delivered', attempts: 3, last_error: null });
    const requests = await receiver().received(path, 3);
    expect(
      new Set(requests.map(({ headers, body }) => `${String(headers['webhook-id'])} ${body}`)).size,
    ).toBe(1);
    for (const request of requests) await unwrap(request, secret);
    expect(receiver().requestsFor('/elsewhere')).toEqual([]);
  });

  it('is given up after 8 attempts', async () => {
    const { id } = await webhook();
    receiver().script(path, 503);
    await sendEvent(api, event());
    for (let attempts = 1; attempts < 8; attempts += 1) {
      await untilDelivery(api, id, { attempts, lease_id: null, status: 'pending' });
      await makeDeliveriesDue(api, id);
    }
    const ended = await untilDelivery(api, id, { attempts: 8, lease_id: null, status: 'failed' });
    expect(ended).toMatchObject({ due_at: null, last_status_code: 503, last_error: 'rejected' });
    expect(receiver().requestsFor(path)).toHaveLength(8);
  });

  it('is given up a day after its event', async () => {
    const { id } = await webhook();
    receiver().script(path, 500);
    await sendEvent(api, event());
    await untilDelivery(api, id, { attempts: 1, lease_id: null });
    await query(
      api.database,
      `UPDATE webhook_deliveries SET created_at = now() - interval '25 hours', due_at = now() + interval '1 hour'
       WHERE webhook_id = $1`,
      [id],
    );
    await query(api.database, 'UPDATE users SET disabled_at = now() WHERE id = $1', [userId]);
    await makeDeliveriesDue(api, id);
    expect(await untilDelivery(api, id, { status: 'failed' })).toMatchObject({
      due_at: null,
      last_error: 'expired',
      attempts: 1,
    });
  });

  it('that is answered with 410 disables its webhook', async () => {
    const { id } = await webhook();
    receiver().script(path, 410);
    await sendEvent(api, event());
    await untilDelivery(api, id, { status: 'failed', last_error: 'gone', last_status_code: 410 });
    const shown = await user.request('GET', `${WEBHOOKS}/${id}`);
    expect(at(shown.body, 'disabled_at')).toEqual(expect.any(String));
    await sendEvent(api, event('batch_2'));
    expect(await deliveriesOf(api, id)).toHaveLength(1);
  });

  it('to a receiver that hangs delays neither other receivers nor other events', async () => {
    const stuck = await webhook(`${path}/stuck`);
    receiver().script(`${path}/stuck`, hang);
    for (const objectId of ['batch_1', 'batch_2', 'batch_3']) await sendEvent(api, event(objectId));
    await receiver().received(`${path}/stuck`);
    const others = [await webhook(), await webhook(`${path}/second`)];
    const foreign = await registerUser(api.url);
    await makeWebhook(foreign, `${receiver().origin}${path}/foreign`);
    for (const objectId of ['batch_4', 'batch_5']) {
      await sendEvent(api, event(objectId));
      await sendEvent(api, { ...event(objectId), userId: await idOf(foreign) });
    }
    await Promise.all(['', '/second', '/foreign'].map((end) => receiver().received(path + end, 2)));
    for (const { id } of others) {
      await until('both deliveries', async () =>
        (await deliveriesOf(api, id)).every(({ status }) => status === 'delivered'),
      );
    }
    // One at a time is sent to the one that hangs.
    expect((await deliveriesOf(api, stuck.id)).filter((row) => row['lease_id'] !== null).length).toBeLessThan(
      2,
    );
  });

  it('is sent neither while its account is disabled nor after its webhook was deleted', async () => {
    const { id } = await webhook();
    const disable = (disabled: boolean) => admin.request('PATCH', `/api/v1/users/${userId}`, { disabled });
    await disable(true);
    await commitEvent(api, event());
    const witness = await makeWebhook(admin, `${receiver().origin}${path}/witness`);
    await sendEvent(api, { ...event(), userId: await idOf(admin) });
    await untilDelivery(api, witness.id, { status: 'delivered' });
    expect(await deliveriesOf(api, id)).toMatchObject([{ status: 'pending', attempts: 0 }]);
    expect(receiver().requestsFor(path)).toEqual([]);
    await disable(false);
    await untilDelivery(api, id, { status: 'delivered' });
  });

  it('stops without an attempt when its account is disabled', async () => {
    const { id } = await webhook();
    receiver().script(path, hang, 200);
    await sendEvent(api, event());
    await receiver().received(path);
    await admin.request('PATCH', `/api/v1/users/${userId}`, { disabled: true });
    expect(await untilDelivery(api, id, { lease_id: null })).toMatchObject({
      status: 'pending',
      attempts: 0,
    });
  });

  it('is deleted with the account', async () => {
    const { id } = await webhook();
    receiver().script(path, 500);
    await sendEvent(api, event());
    await untilDelivery(api, id, { attempts: 1, lease_id: null });
    expect((await user.request('DELETE', '/api/v1/users/me')).status).toBe(204);
    await until('the rows to be gone', async () => {
      const rows = await query(api.database, 'SELECT 1 FROM webhooks WHERE id = $1', [id]);
      return rows.length + (await deliveriesOf(api, id)).length === 0;
    });
  });

  it('is deleted after 30 days, and not before', async () => {
    const { id } = await webhook();
    await commitEvent(api, event());
    await untilDelivery(api, id, { status: 'delivered' });
    const moved = Date.now() - DELIVERY_RETENTION_MS;
    const retention = new DeliveryRetention(serviceOf(api, DeliveryRepository), new Clock());
    await query(api.database, 'UPDATE webhook_deliveries SET id = $2 WHERE webhook_id = $1', [
      id,
      minIdAt(moved + 3_600_000),
    ]);
    expect(await retention.run()).toBe(0);
    await query(api.database, 'UPDATE webhook_deliveries SET id = $2 WHERE webhook_id = $1', [
      id,
      minIdAt(moved - 3_600_000),
    ]);
    expect(await retention.run()).toBe(1);
  });
});

describe('the secret of a webhook', () => {
  it('signs deliveries for a day after its rotation, beside the new one', async () => {
    const { id, secret } = await webhook();
    const rotated = await user.request('POST', `${WEBHOOKS}/${id}/rotate`);
    expect(rotated.status).toBe(200);
    const next = String(at(rotated.body, 'secret'));
    expect(next).toMatch(/^whsec_/);
    expect(next).not.toBe(secret);
    expect(at(rotated.body, 'previous_secret_expires_at')).toEqual(expect.any(String));
    await sendEvent(api, event());
    const [both] = await receiver().received(path);
    if (both === undefined) throw new Error('Nothing was received.');
    expect(String(both.headers['webhook-signature']).split(' ')).toHaveLength(2);
    for (const one of [secret, next]) await unwrap(both, one);
    await query(api.database, 'UPDATE webhooks SET previous_expires_at = now() WHERE id = $1', [id]);
    await sendEvent(api, event('batch_2'));
    const [, alone] = await receiver().received(path, 2);
    if (alone === undefined) throw new Error('Nothing was received.');
    await unwrap(alone, next);
    await expect(unwrap(alone, secret)).rejects.toThrow();
  });

  it('is re-encrypted after a change of the encryption key, and the delivery says if it is lost', async () => {
    const before = await start({ ...SETTINGS, ENCRYPTION_KEY: FIRST_KEY, JWT_SECRET: FIRST_KEY });
    const owner = await registerUser(before.url);
    const ownerId = await idOf(owner);
    const { id, secret } = await makeWebhook(owner, receiver().origin + path);
    const ciphertext = async (): Promise<unknown> =>
      (
        await query(before.database, `SELECT encode(ciphertext, 'hex') AS hex FROM webhooks WHERE id = $1`, [
          id,
        ])
      )[0]?.['hex'];
    const old = await ciphertext();
    await before.application.close();
    const changed = { ...SETTINGS, JWT_SECRET: FIRST_KEY, ENCRYPTION_KEY: SECOND_KEY };
    const after = await start({ ...changed, ENCRYPTION_KEY_PREVIOUS: FIRST_KEY }, before.database);
    await sendEvent(after, { ...event(), userId: ownerId });
    const [request] = await receiver().received(path);
    if (request === undefined) throw new Error('Nothing was received.');
    await unwrap(request, secret);
    await until('the secret to be re-encrypted', async () => (await ciphertext()) !== old);
    await query(before.database, `UPDATE webhooks SET ciphertext = decode('00', 'hex') WHERE id = $1`, [id]);
    await sendEvent(after, { ...event('batch_2'), userId: ownerId });
    await until('the failure', async () =>
      (await deliveriesOf(before, id)).some((row) => row['last_error'] === 'secret_unreadable'),
    );
    await after.application.close();
  });
});

it('a process that stops releases its deliveries without an attempt, and the next one sends them', async () => {
  const before = await start({ ...SETTINGS, JWT_SECRET: FIRST_KEY, ENCRYPTION_KEY: FIRST_KEY });
  const owner = await registerUser(before.url);
  const { id } = await makeWebhook(owner, receiver().origin + path);
  receiver().script(path, hang, 200);
  await sendEvent(before, { ...event(), userId: await idOf(owner) });
  await receiver().received(path);
  await before.application.close();
  expect(await deliveriesOf(before, id)).toMatchObject([{ status: 'pending', attempts: 0, lease_id: null }]);
  await start({ ...SETTINGS, JWT_SECRET: FIRST_KEY, ENCRYPTION_KEY: FIRST_KEY }, before.database);
  await untilDelivery(before, id, { status: 'delivered', attempts: 1 });
  const requests = receiver().requestsFor(path);
  expect(requests).toHaveLength(2);
  expect(requests[0]?.headers['webhook-id']).toBe(requests[1]?.headers['webhook-id']);
});

it('the deliveries of a webhook are listed in pages, newest first', async () => {
  const { id } = await webhook();
  for (const objectId of ['batch_1', 'batch_2', 'batch_3']) await commitEvent(api, event(objectId));
  const list = (query: string) => user.request('GET', `${WEBHOOKS}/${id}/deliveries?${query}`);
  const first = (await list('limit=2')).body;
  const rest = (await list(`limit=2&after=${String(at(first, 'last_id'))}`)).body;
  const objects = [first, rest].map((body) => listAt(body, 'data').map((one) => at(one, 'object_id')));
  expect(objects).toEqual([['batch_3', 'batch_2'], ['batch_1']]);
  expect([at(first, 'has_more'), at(rest, 'has_more')]).toEqual([true, false]);
});
