// Real components: the API on a socket with its jobs, PostgreSQL, and the provider's protocol. Leases are ended by SQL,
// as a process ends them that was stopped for too long.
import { describe, expect, it } from '@jest/globals';
import { FIRST_OWNER } from '../../../../src/features/batches/rows/item-claim.repository.js';
import { idOf, makeKey } from '../../../support/accounts.js';
import { asking } from '../../../support/api.js';
import { at } from '../../../support/client.js';
import { uploadBatchInput } from '../../../support/batches.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { BATCHES, readLines, submitBatch, untilEnded } from '../../../support/parley-batches.js';
import { setUpAdmin, setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const provider = setUpProvider();
const api = setUpApi(() => ({ ...asking(provider), BATCH_CONCURRENCY: '4' }));
// A new one for each test: usage of calls that a test aborts may be recorded during the next one.
const user = setUpUser(api, 'test');
const admin = setUpAdmin(api);

const texts = (count: number, name = 'text'): string[] =>
  Array.from({ length: count }, (_, index) => `${name} ${String(index)}`);

/** Returns the sums of tokens of the ledger, the items and the batch. */
async function tokenSums(id: string): Promise<readonly unknown[]> {
  const [sums] = await query(
    api.database,
    `SELECT input_tokens::int AS batch,
       (SELECT sum(input_tokens)::int FROM batch_items WHERE batch_id = batches.id) AS items,
       (SELECT coalesce(sum(input_tokens), 0)::int FROM usage_records WHERE user_id = batches.user_id
          AND created_at >= batches.created_at) AS ledger
     FROM batches WHERE id = $1`,
    [id],
  );
  return [sums?.['batch'], sums?.['items'], sums?.['ledger']];
}

/** Waits until a batch has a status, and returns it. */
function untilStatus(id: string, status: string): Promise<unknown> {
  return until(`the batch to be ${status}`, async () => {
    const { body } = await user.request('GET', `${BATCHES}/${id}`);
    return at(body, 'status') === status && body;
  });
}

/** Returns the texts of the requests that the provider has received. */
function askedTexts(): string[] {
  return provider.requests.map(({ body }) => String(at(body, 'messages', 0, 'content'))).toSorted();
}

describe('the requests of a batch', () => {
  it('are sent once each, and tokens of ledger, requests and batch are equal', async () => {
    const id = await submitBatch(user, { texts: texts(50) });
    const batch = await untilEnded(user, id);
    expect(at(batch, 'status')).toBe('completed');
    expect(at(batch, 'counts')).toMatchObject({ total: 50, completed: 50, failed: 0 });
    expect(askedTexts()).toEqual(texts(50).toSorted());
    expect((await readLines(user, id)).map((line) => at(line, 'text'))).toEqual(texts(50));
    const [inBatch, inItems, inLedger] = await tokenSums(id);
    expect(inBatch).toBeGreaterThan(0);
    expect([inItems, inLedger]).toEqual([inBatch, inBatch]);
    for (let poll = 0; poll < 20; poll += 1) await user.request('GET', `${BATCHES}/${id}`);
    expect(await tokenSums(id)).toEqual([inBatch, inBatch, inBatch]);
  });

  it('wait while the provider limits calls, without using up their attempts', async () => {
    provider.script(
      ...Array.from({ length: 12 }, () => ({ kind: 'error', status: 429, retryAfterMs: 1 }) as const),
    );
    const id = await submitBatch(user, { texts: texts(6, 'limited') });
    expect(at(await untilEnded(user, id), 'counts')).toMatchObject({ completed: 6, failed: 0 });
    const attempts = await query(
      api.database,
      'SELECT DISTINCT attempts::int FROM batch_items WHERE batch_id = $1',
      [id],
    );
    expect(attempts).toEqual([{ attempts: 1 }]);
    const [inBatch, inItems, inLedger] = await tokenSums(id);
    expect([inItems, inLedger]).toEqual([inBatch, inBatch]);
  });

  it('have the error of the route as their result if the model or the request is wrong', async () => {
    const id = await submitBatch(user, {
      requests: [
        { custom_id: 'unknown', model: 'nobody/nothing', messages: [{ role: 'user', content: 'x' }] },
        { custom_id: 'streamed', stream: true, messages: [{ role: 'user', content: 'x' }] },
        { custom_id: 'good', messages: [{ role: 'user', content: 'good' }] },
      ],
    });
    expect(at(await untilEnded(user, id), 'counts')).toMatchObject({ completed: 1, failed: 2 });
    const [unknown, streamed, good] = await readLines(user, id);
    expect(at(unknown, 'response', 'status_code')).toBe(404);
    expect(at(streamed, 'response', 'status_code')).toBe(400);
    expect(at(good, 'text')).toBe('good');
  });

  it('of two accounts take turns, so that a small batch does not wait for a large one', async () => {
    const gate = gatedAnswer(['held']);
    provider.setDefault(gate);
    const large = await submitBatch(user, { texts: texts(40, 'large') });
    await until('the first requests', () => provider.requests.length > 0);
    const small = await submitBatch(admin, { texts: texts(2, 'small') });
    gate.finish();
    await untilEnded(admin, small);
    await untilEnded(user, large);
    const order = provider.requests.map(
      ({ body }) => String(at(body, 'messages', 0, 'content')).split(' ')[0],
    );
    // It had to wait for the requests that were running, and for one turn.
    expect(order.lastIndexOf('small')).toBeLessThan(20);
  });
});

describe('a batch', () => {
  it('that is cancelled keeps what is finished, aborts what is running and bills it once', async () => {
    const gate = gatedAnswer(['held']);
    provider.script({ kind: 'answer' });
    provider.setDefault(gate);
    const id = await submitBatch(user, { texts: texts(10, 'cancelled'), max_concurrency: 2 });
    await until('one result, and two running requests', async () => {
      const { body } = await user.request('GET', `${BATCHES}/${id}`);
      return at(body, 'counts', 'completed') === 1 && at(body, 'counts', 'running') === 2;
    });
    expect(at((await user.request('POST', `${BATCHES}/${id}/cancel`)).body, 'status')).toBe('cancelling');
    const batch = await untilEnded(user, id);
    expect(at(batch, 'status')).toBe('cancelled');
    expect(at(batch, 'counts')).toMatchObject({ total: 10, completed: 1, failed: 0, skipped: 9, running: 0 });
    await until('the running calls to be aborted', () => provider.openConnections === 0);
    const lines = await readLines(user, id);
    expect(lines.map((line) => at(line, 'line'))).toEqual(
      Array.from({ length: 10 }, (_, index) => index + 1),
    );
    expect(lines.filter((line) => at(line, 'error', 'code') === 'batch_cancelled')).toHaveLength(9);
    expect(provider.requests).toHaveLength(3);
    await until('the usage of the aborted calls', async () => {
      const [inBatch, inItems, inLedger] = await tokenSums(id);
      return inBatch === inItems && inBatch === inLedger && Number(inLedger) >= 3;
    });
  });

  it('that expires keeps what is finished', async () => {
    const gate = gatedAnswer(['held']);
    provider.script({ kind: 'answer' });
    provider.setDefault(gate);
    const id = await submitBatch(user, { texts: texts(5, 'expiring'), max_concurrency: 1 });
    await until(
      'a result',
      async () => at((await user.request('GET', `${BATCHES}/${id}`)).body, 'counts', 'completed') === 1,
    );
    await query(api.database, 'UPDATE batches SET expires_at = now() WHERE id = $1', [id]);
    const batch = await untilEnded(user, id);
    expect(at(batch, 'status')).toBe('expired');
    expect(at(batch, 'counts')).toMatchObject({ completed: 1, skipped: 4 });
    const codes = (await readLines(user, id)).map((line) => at(line, 'error', 'code') ?? null);
    expect(codes).toEqual([null, ...Array<string>(4).fill('batch_expired')]);
  });

  it('whose result comes after its lease refuses it, and records its usage', async () => {
    const late = gatedAnswer(['late']);
    provider.script(late);
    const id = await submitBatch(user, { texts: ['stopped'] });
    await until('the call', () => provider.requests.length === 1);
    // As the sweep does if the process was stopped for longer than the lease.
    await query(
      api.database,
      `UPDATE batch_items SET status = 'waiting', lease_id = NULL, lease_until = NULL WHERE batch_id = $1`,
      [id],
    );
    late.finish();
    const batch = await untilEnded(user, id);
    expect(at(batch, 'counts')).toMatchObject({ completed: 1 });
    expect((await readLines(user, id)).map((line) => at(line, 'text'))).toEqual(['stopped']);
    await until('the usage of both calls', async () => {
      const calls = await query(
        api.database,
        `SELECT count(DISTINCT call_id)::int AS calls FROM usage_records JOIN batches ON batches.user_id = usage_records.user_id
         WHERE batches.id = $1 AND usage_records.created_at >= batches.created_at`,
        [id],
      );
      const [inBatch, inItems, inLedger] = await tokenSums(id);
      return calls[0]?.['calls'] === 2 && inBatch === inItems && inBatch === inLedger;
    });
  });

  it('whose request is claimed again by its own process aborts the call that has lost its lease', async () => {
    const [lost, held] = [gatedAnswer(['lost']), gatedAnswer(['held'])];
    provider.script(lost, held);
    const id = await submitBatch(user, { texts: ['suspended'] });
    await until('the call', () => provider.requests.length === 1);
    await query(
      api.database,
      `UPDATE batch_items SET status = 'waiting', lease_id = NULL, lease_until = NULL WHERE batch_id = $1`,
      [id],
    );
    // Another batch, which calls no provider, wakes the process up; the renewal of the leases follows.
    await submitBatch(user, { requests: [{ text: 'waking', model: 'nobody/nothing' }] });
    await until('the second call', () => provider.requests.length === 2);
    expect(await provider.requests[0]?.closed).toMatchObject({ by: 'client' });
    held.finish();
    expect(at(await untilEnded(user, id), 'counts')).toMatchObject({ completed: 1 });
    expect((await readLines(user, id)).map((line) => at(line, 'text'))).toEqual(['held']);
  });

  it('that a quota pauses says so, and goes on when the quota allows it', async () => {
    const path = `/api/v1/users/${await idOf(user)}`;
    expect((await admin.request('PATCH', path, { quota_tokens_day: 1 })).status).toBe(200);
    try {
      // Limits of an account are cached for seconds.
      await until('the quota to apply', async () => {
        const messages = [{ role: 'user', content: 'x' }];
        return (await user.request('POST', '/v1/chat/completions', { messages })).status === 429;
      });
      const id = await submitBatch(user, { texts: texts(3, 'paused') });
      const paused = await untilStatus(id, 'paused');
      expect(at(paused, 'pause', 'code')).toBe('quota_exceeded');
      expect(at(paused, 'counts')).toMatchObject({ completed: 0, failed: 0 });
      await admin.request('PATCH', path, { quota_tokens_day: null });
      await query(api.database, 'UPDATE batches SET resume_at = now() WHERE id = $1', [id]);
      await until('the batch to end', async () => {
        await query(
          api.database,
          `UPDATE batches SET resume_at = now() WHERE id = $1 AND status = 'paused'`,
          [id],
        );
        return at((await user.request('GET', `${BATCHES}/${id}`)).body, 'status') === 'completed';
      });
    } finally {
      await admin.request('PATCH', path, { quota_tokens_day: null });
    }
  });

  it('ends when the API key that created it is revoked', async () => {
    const gate = gatedAnswer(['held']);
    provider.setDefault(gate);
    const key = await makeKey(api, user, { scopes: ['batch', 'chat'] });
    const id = await submitBatch(key.program, { texts: texts(3, 'revoked') });
    await until('a call', () => provider.requests.length > 0);
    await user.request('DELETE', `/api/v1/api-keys/${key.id}`);
    const batch = await untilEnded(user, id);
    expect(at(batch, 'status')).toBe('cancelled');
    expect(at(batch, 'errors', 0, 'code')).toBe('invalid_api_key');
    await until('the calls to be aborted', () => provider.openConnections === 0);
  });
});

it('a result that the database refuses is a failure of its request, which is billed once', async () => {
  await query(
    api.database,
    `CREATE FUNCTION refuse_response() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'too large'; END $$`,
  );
  await query(
    api.database,
    `CREATE TRIGGER refuse_response BEFORE UPDATE ON batch_items FOR EACH ROW
     WHEN (NEW.response LIKE '%enormous%') EXECUTE FUNCTION refuse_response()`,
  );
  try {
    const id = await submitBatch(user, { texts: ['one', 'enormous', 'two'] });
    expect(at(await untilEnded(user, id), 'counts')).toMatchObject({ completed: 2, failed: 1 });
    expect((await readLines(user, id)).map((line) => at(line, 'error', 'code') ?? null)).toEqual([
      null,
      'internal_error',
      null,
    ]);
    expect(provider.requests).toHaveLength(3);
    const [inBatch, inItems, inLedger] = await tokenSums(id);
    expect([inItems, inLedger]).toEqual([inBatch, inBatch]);
  } finally {
    await query(api.database, 'DROP FUNCTION refuse_response CASCADE');
  }
});

it('a file fails whose requests the shared fields make far larger, and one with a million blank lines', async () => {
  const submit = async (content: string, more: object = {}): Promise<unknown> => {
    const input_file_id = await uploadBatchInput(api.url, user, content);
    return untilEnded(user, await submitBatch(user, { input_file_id, ...more }));
  };
  const lines = Array.from({ length: 3_000 }, () => '{"text":"Hi"}').join('\n');
  const large = await submit(lines, { system_prompt: 'x'.repeat(32_000) });
  expect(large).toMatchObject({ status: 'failed', errors: [{ code: 'request_too_large', line: null }] });
  const blank = await submit(`{"text":"Hi"}${'\n'.repeat(1_000_001)}{"text":"Hi"}`);
  expect(blank).toMatchObject({ status: 'failed', errors: [{ code: 'too_many_tasks', line: null }] });
  expect(provider.requests).toHaveLength(0);
});

it('of many concurrent claims each item has one owner, and no limit of a batch is exceeded', async () => {
  const [row] = await query(
    api.database,
    `INSERT INTO batches (id, user_id, api, endpoint, status, lanes, total, max_concurrency, expires_at)
     VALUES (gen_random_uuid(), $1, 'parley', '/v1/chat/completions', 'queued', '{nowhere}', 400, 150, now() + interval '1 day')
     RETURNING id`,
    [await idOf(user)],
  );
  await query(
    api.database,
    `INSERT INTO batch_items (batch_id, line, user_id, custom_id, request, lane, status)
     SELECT $1, line, $2, line::text, '{}', 'nowhere', 'waiting' FROM generate_series(1, 400) line`,
    [row?.['id'], await idOf(user)],
  );
  const claims = await Promise.all(
    Array.from({ length: 30 }, () =>
      query(
        api.database,
        `SELECT line FROM claim_waiting_items('${FIRST_OWNER}', 10, 1000, '{}', '{}', gen_random_uuid(), 60)
         WHERE batch_id = $1`,
        [row?.['id']],
      ),
    ),
  );
  const lines = claims.flat().map(({ line }) => line);
  expect(new Set(lines).size).toBe(lines.length);
  const [leased] = await query(
    api.database,
    'SELECT count(*)::int AS count FROM batch_items WHERE batch_id = $1 AND lease_until IS NOT NULL',
    [row?.['id']],
  );
  expect(leased?.['count']).toBe(150);
  await query(api.database, 'UPDATE batches SET deleted_at = now(), ended_at = now() WHERE id = $1', [
    row?.['id'],
  ]);
});
