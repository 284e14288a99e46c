// Real components: the API on a socket and PostgreSQL.
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { idOf } from '../../../support/accounts.js';
import { at, listAt, registerUser } from '../../../support/client.js';
import { setUpApi, setUpUser } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';
import { commitEvent, deliveriesOf, makeWebhook, WEBHOOKS } from '../../../support/webhooks.js';

const URL = 'http://127.1.0.1:9/hooks?token=s3cret';
const NOBODY = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';

// Nothing listens there: the deliveries of these tests fail and wait.
const api = setUpApi({ WEBHOOK_ALLOWED_NETWORKS: '127.1.0.0/16' });
const user = setUpUser(api);

describe('a webhook', () => {
  it('is created with a secret that is shown once, and never stored or logged as it is', async () => {
    const events = ['batch.failed', 'batch.completed', 'batch.failed'];
    const created = await user.request('POST', WEBHOOKS, { url: URL, events });
    expect(created.status).toBe(201);
    const secret = String(at(created.body, 'secret'));
    expect(secret).toMatch(/^whsec_[\w+/]{43}=$/);
    const shown = {
      id: expect.any(String),
      url: URL,
      events: ['batch.failed', 'batch.completed'],
      previous_secret_expires_at: null,
      disabled_at: null,
      created_at: expect.any(String),
    };
    expect(created.body).toEqual({ ...shown, secret });
    const id = String(at(created.body, 'id'));
    expect((await user.request('GET', `${WEBHOOKS}/${id}`)).body).toEqual(shown);
    expect((await user.request('GET', WEBHOOKS)).body).toMatchObject({ data: [shown], has_more: false });
    const rows = await query(
      api.database,
      `SELECT encode(ciphertext, 'escape') AS bytes, w::text FROM webhooks w`,
    );
    expect(JSON.stringify(rows)).not.toContain(secret.slice(6));
    expect(api.log.join('')).not.toContain(secret.slice(6));
    expect(api.log.join('')).not.toContain('s3cret');
    expect((await user.request('DELETE', `${WEBHOOKS}/${id}`)).status).toBe(204);
    expect((await user.request('DELETE', `${WEBHOOKS}/${id}`)).status).toBe(404);
    expect((await user.request('GET', `${WEBHOOKS}/${id}`)).status).toBe(404);
  });

  it.each([
    [{ url: URL }, 'events'],
    [{ url: URL, events: [] }, 'events'],
    [{ url: URL, events: ['batch.created'] }, 'events'],
    [{ url: URL, events: 'batch.completed' }, 'events'],
    [{ events: ['batch.completed'] }, 'url'],
    [{ url: 'https://example.com/#x', events: ['batch.completed'] }, 'url'],
    [{ url: 'https://a:b@example.com/', events: ['batch.completed'] }, 'url'],
    [{ url: `https://example.com/${'a'.repeat(2_048)}`, events: ['batch.completed'] }, 'url'],
    [{ url: 'http://1.1.1.1/', events: ['batch.completed'] }, 'url'],
    [{ url: 'https://127.0.0.1/', events: ['batch.completed'] }, 'url'],
    [{ url: 'https://localhost/', events: ['batch.completed'] }, 'url'],
    [{ url: 'https://[::1]/', events: ['batch.completed'] }, 'url'],
    [{ url: 'https://0x7f.1/', events: ['batch.completed'] }, 'url'],
    [{ url: 'https://169.254.169.254/latest/meta-data', events: ['batch.completed'] }, 'url'],
  ])('is refused with the name of the field: %j', async (body, field) => {
    const answer = await user.request('POST', WEBHOOKS, body);
    expect(answer.status).toBe(400);
    expect(at(answer.body, 'error', 'details', 0, 'field')).toBe(field);
  });

  it('is refused above 10 of an account, exactly, under concurrent requests', async () => {
    const account = await registerUser(api.url);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        account.request('POST', WEBHOOKS, { url: URL, events: ['batch.completed'] }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(10);
    expect(refused[0]?.body).toMatchObject({ error: { code: 'limit_reached' } });
    const first = await account.request('GET', `${WEBHOOKS}?limit=6`);
    const rest = await account.request('GET', `${WEBHOOKS}?after=${String(at(first.body, 'last_id'))}`);
    const ids = [first, rest].flatMap(({ body }) => listAt(body, 'data').map((one) => at(one, 'id')));
    expect([new Set(ids).size, at(first.body, 'has_more'), at(rest.body, 'has_more')]).toEqual([
      10,
      true,
      false,
    ]);
    await account.request('DELETE', `${WEBHOOKS}/${String(ids[0])}`);
    await makeWebhook(account, URL);
  });

  it('of another account does not exist, for any route', async () => {
    const other = await registerUser(api.url);
    const { id } = await makeWebhook(user, URL);
    const bodyOf = (body: unknown, named: string) =>
      JSON.stringify(at(body, 'error')).replaceAll(named, 'ID');
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/deliveries'],
      ['POST', '/rotate'],
      ['DELETE', ''],
    ] as const) {
      const foreign = await other.request(method, `${WEBHOOKS}/${id}${path}`);
      const unknown = await other.request(method, `${WEBHOOKS}/${NOBODY}${path}`);
      expect([method, path, foreign.status, bodyOf(foreign.body, id)]).toEqual([
        method,
        path,
        404,
        bodyOf(unknown.body, NOBODY),
      ]);
    }
    expect((await other.request('GET', WEBHOOKS)).body).toMatchObject({ data: [] });
    expect((await user.request('GET', `${WEBHOOKS}/${id}`)).body).toMatchObject({
      disabled_at: null,
      previous_secret_expires_at: null,
    });
  });

  it('has its creation, rotation and deletion in the audit log, without its URL and its secret', async () => {
    const account = await registerUser(api.url);
    const { id, secret } = await makeWebhook(account, URL);
    await account.request('POST', `${WEBHOOKS}/${id}/rotate`);
    await account.request('DELETE', `${WEBHOOKS}/${id}`);
    const rows = await query(
      api.database,
      'SELECT action, subject, detail, l::text FROM audit_log l WHERE subject = $1 ORDER BY id',
      [id],
    );
    expect(rows).toMatchObject([
      { action: 'webhook.created', detail: { events: ['batch.completed'] } },
      { action: 'webhook.secret_rotated' },
      { action: 'webhook.deleted' },
    ]);
    expect(JSON.stringify(rows)).not.toMatch(new RegExp(`127\\.1\\.0|s3cret|${secret.slice(6, 20)}`));
  });
});

describe('the outbox', () => {
  const completed = { type: 'batch.completed', objectId: 'batch_1' } as const;

  it('has an event once for each webhook that receives its type, however often it is committed', async () => {
    const account = await registerUser(api.url);
    const userId = await idOf(account);
    const [first, second, other] = [
      await makeWebhook(account, 'http://127.1.0.1:9/1'),
      await makeWebhook(account, 'http://127.1.0.1:9/2', ['batch.completed', 'batch.failed']),
      await makeWebhook(account, 'http://127.1.0.1:9/3', ['batch.failed']),
    ];
    const foreign = await makeWebhook(await registerUser(api.url), 'http://127.1.0.1:9/4');
    for (let round = 0; round < 2; round += 1) await commitEvent(api, { ...completed, userId });
    await Promise.all(Array.from({ length: 4 }, () => commitEvent(api, { ...completed, userId })));
    await commitEvent(api, { ...completed, userId, occurrence: 1 });
    const rows = await Promise.all([first, second, other, foreign].map(({ id }) => deliveriesOf(api, id)));
    expect(rows.map((deliveries) => deliveries.length)).toEqual([2, 2, 0, 0]);
    const [one, another] = rows[0] ?? [];
    expect(one).toMatchObject({ type: 'batch.completed', object_id: 'batch_1', user_id: userId });
    expect(one?.['event_id']).toMatch(/^evt_[\dA-Za-z]{32}$/);
    expect(one?.['event_id']).toBe(rows[1]?.[0]?.['event_id']);
    expect(one?.['event_id']).not.toBe(another?.['event_id']);
    expect(JSON.parse(String(one?.['body']))).toEqual({
      id: one?.['event_id'],
      object: 'event',
      type: 'batch.completed',
      created_at: expect.any(Number),
      data: { id: 'batch_1' },
    });
  });

  it('does not fail the transaction of an event whose webhook is being deleted', async () => {
    const account = await registerUser(api.url);
    const userId = await idOf(account);
    const { id } = await makeWebhook(account, 'http://127.1.0.1:9/5');
    const deletion = new pg.Client({ connectionString: api.database.url });
    await deletion.connect();
    try {
      await deletion.query('BEGIN');
      await deletion.query('DELETE FROM webhooks WHERE id = $1', [id]);
      const committed = commitEvent(api, { ...completed, userId });
      await until('the event to wait for the deletion', async () => {
        const waiting = await query(
          api.database,
          `SELECT 1 FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%webhook_deliveries%'`,
        );
        return waiting.length > 0;
      });
      await deletion.query('COMMIT');
      await committed;
    } finally {
      await deletion.end();
    }
    expect(await deliveriesOf(api, id)).toEqual([]);
  });
});
