// Real components: the API on a socket with its jobs, PostgreSQL, the file storage and the provider's protocol. Steps of
// batches fail because a trigger refuses their rows, and time passes by SQL.
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { idOf } from '../../../support/accounts.js';
import { asking } from '../../../support/api.js';
import { batchLine, createOpenAiBatch, uploadBatchInput } from '../../../support/batches.js';
import { at } from '../../../support/client.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { BATCHES, readLines, submitBatch, untilEnded } from '../../../support/parley-batches.js';
import { setUpAdmin, setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const MEGABYTE = 2 ** 20;

const provider = setUpProvider();
const api = setUpApi(() => ({ ...asking(provider), BATCH_CONCURRENCY: '4' }));
const user = setUpUser(api, 'test');
const admin = setUpAdmin(api);

/** Runs a test while PostgreSQL refuses rows. */
async function refusing(event: string, condition: string, run: () => Promise<void>): Promise<void> {
  await query(
    api.database,
    `CREATE OR REPLACE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'refused'; END $$`,
  );
  await query(
    api.database,
    `CREATE TRIGGER refuse_row BEFORE ${event} FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION refuse_row()`,
  );
  try {
    await run();
  } finally {
    await query(api.database, 'DROP FUNCTION refuse_row CASCADE');
  }
}

/** Returns the id of the row of a batch in OpenAI's format. */
const rowIdOf = (id: string): string =>
  id.replace(/^batch_(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

function getOpenAiBatch(id: string): Promise<unknown> {
  return user.request('GET', `/v1/batches/${id}`).then(({ body }) => body);
}

/** Changes a batch as soon as no process works on it and an attempt has failed. It is due unless the change says when. */
async function changeFailedStage(rowId: string, columns = 'due_at = now()'): Promise<void> {
  await until('an attempt to fail', async () => {
    const changed = await query(
      api.database,
      `UPDATE batches SET ${columns} WHERE id = $1 AND lease_id IS NULL AND attempts > 0 RETURNING id`,
      [rowId],
    );
    return changed.length === 1;
  });
  // Wakes the server up, which otherwise looks every few seconds.
  await submitBatch(admin, { texts: ['wake up'] });
}

/** As if a step had failed for ten minutes. */
const FOR_MINUTES = `due_at = now(), attempts = 5, created_at = now() - interval '10 minutes',
  finalizing_at = finalizing_at - interval '10 minutes', cancelling_at = cancelling_at - interval '10 minutes'`;

const UNSTORABLE_REQUEST = ['INSERT ON batch_items', "NEW.custom_id = 'unstorable'"] as const;
const RESULT_FILE = ['INSERT ON files', "NEW.purpose = 'batch_output'"] as const;

/** Submits a file whose requests PostgreSQL refuses. */
async function submitUnstorable(): Promise<string> {
  const content = '{"custom_id":"unstorable","text":"Hi"}';
  return submitBatch(user, { input_file_id: await uploadBatchInput(api.url, user, content) });
}

describe('the validation of a batch', () => {
  it('that has failed for minutes fails the batch', async () => {
    await refusing(...UNSTORABLE_REQUEST, async () => {
      const id = await submitUnstorable();
      await changeFailedStage(id, FOR_MINUTES);
      expect(await untilEnded(user, id)).toMatchObject({
        status: 'failed',
        errors: [{ code: 'internal_error', param: 'input_file_id' }],
      });
    });
  });

  it('that fails at first is repeated', async () => {
    let id = '';
    await refusing(...UNSTORABLE_REQUEST, async () => {
      id = await submitUnstorable();
      await changeFailedStage(id);
    });
    expect(await untilEnded(user, id)).toMatchObject({ status: 'completed', total: 1, errors: [] });
  });

  it('ends when the batch expires', async () => {
    await refusing(...UNSTORABLE_REQUEST, async () => {
      const id = await submitUnstorable();
      await changeFailedStage(id, 'due_at = now(), expires_at = now()');
      expect(await untilEnded(user, id)).toMatchObject({ status: 'expired', counts: { total: null } });
    });
  });

  it('of a process that died is continued by another one once its lease has ended, and not before', async () => {
    let id = '';
    await refusing(...UNSTORABLE_REQUEST, async () => {
      id = await submitUnstorable();
      await changeFailedStage(id, `lease_id = gen_random_uuid(), due_at = now() + interval '60 seconds'`);
    });
    // Stages are claimed in the order in which they are due: this one comes after.
    const input_file_id = await uploadBatchInput(api.url, user, '{"text":"Hi"}');
    await untilEnded(user, await submitBatch(user, { input_file_id }));
    const held = await user.request('GET', `${BATCHES}/${id}`);
    expect(at(held.body, 'status')).toBe('validating');
    await query(api.database, 'UPDATE batches SET due_at = now() WHERE id = $1', [id]);
    await submitBatch(admin, { texts: ['wake up'] });
    expect(at(await untilEnded(user, id), 'status')).toBe('completed');
  });
});

it('a process validates at most two batches at once, however many are announced', async () => {
  const input_file_id = await uploadBatchInput(api.url, user, '{"text":"Hi"}');
  const writer = new pg.Client({ connectionString: api.database.url });
  await writer.connect();
  const countHeld = async (): Promise<unknown> => {
    const [row] = await query(
      api.database,
      'SELECT count(*)::int AS held FROM batches WHERE lease_id IS NOT NULL',
    );
    return row?.['held'];
  };
  try {
    // The first statement of a validation waits for it.
    await writer.query('BEGIN; LOCK TABLE batch_items IN SHARE MODE');
    const ids = await Promise.all(Array.from({ length: 8 }, () => submitBatch(user, { input_file_id })));
    await until('two validations', async () => Number(await countHeld()) >= 2);
    for (let count = 0; count < 5; count += 1) await submitBatch(user, { input_file_id });
    expect(await countHeld()).toBe(2);
    await writer.query('COMMIT');
    for (const id of ids) expect(at(await untilEnded(user, id), 'status')).toBe('completed');
  } finally {
    await writer.end();
  }
});

describe('a batch whose result files cannot be stored', () => {
  it.each(['finalizing', 'cancelling'])('is not %s for ever, and gets its files later', async (status) => {
    const gate = gatedAnswer(['late']);
    let id = '';
    await refusing(...RESULT_FILE, async () => {
      if (status === 'cancelling') provider.setDefault(gate);
      id = await createOpenAiBatch(api.url, user, batchLine('a'));
      if (status === 'cancelling') {
        await provider.nextRequest('chat');
        await user.request('POST', `/v1/batches/${id}/cancel`);
      }
      await until('the last step', async () => at(await getOpenAiBatch(id), 'status') === status);
      await changeFailedStage(rowIdOf(id), FOR_MINUTES);
      const ended = await until('the end', async () => {
        const batch = await getOpenAiBatch(id);
        return at(batch, 'status') !== status && batch;
      });
      expect(ended).toMatchObject({
        status: status === 'cancelling' ? 'cancelled' : 'completed',
        output_file_id: null,
        error_file_id: null,
        errors: { data: [{ code: 'result_files_delayed' }] },
      });
    });
    await changeFailedStage(rowIdOf(id));
    const whole = await until('the files', async () => {
      const batch = await getOpenAiBatch(id);
      return at(batch, 'errors') === null && batch;
    });
    const file = at(whole, status === 'cancelling' ? 'error_file_id' : 'output_file_id');
    const { body } = await user.request('GET', `/v1/files/${String(file)}/content`);
    expect(at(body, 'custom_id')).toBe('a');
  });

  it('gets them while its account is disabled', async () => {
    const path = `/api/v1/users/${await idOf(user)}`;
    let id = '';
    await refusing(...RESULT_FILE, async () => {
      id = await createOpenAiBatch(api.url, user, batchLine('a'));
      await until('the last step', async () => at(await getOpenAiBatch(id), 'status') === 'finalizing');
      expect((await admin.request('PATCH', path, { disabled: true })).status).toBe(200);
    });
    await changeFailedStage(rowIdOf(id));
    const { status, output } = await until('the end', async () => {
      const [row] = await query(
        api.database,
        'SELECT status, output_file_id AS output FROM batches WHERE id = $1 AND ended_at IS NOT NULL',
        [rowIdOf(id)],
      );
      return row && { status: row['status'], output: row['output'] };
    });
    expect({ status, output }).toEqual({ status: 'completed', output: expect.any(String) });
  });
});

it('a request whose processes died too often is a failure, and the batch ends', async () => {
  const gate = gatedAnswer(['late']);
  provider.setDefault(gate);
  const id = await submitBatch(user, { texts: ['deadly'] });
  await provider.nextRequest('chat');
  const batch = await until('the end', async () => {
    // Again, because the process renews the lease.
    await query(
      api.database,
      `UPDATE batch_items SET lost_leases = 4, lease_until = now() WHERE batch_id = $1 AND status = 'running'`,
      [id],
    );
    const { body } = await user.request('GET', `${BATCHES}/${id}`);
    return at(body, 'ended_at') !== null && body;
  });
  expect(batch).toMatchObject({ status: 'completed', counts: { completed: 0, failed: 1 } });
  expect((await readLines(user, id)).map((line) => at(line, 'error', 'code'))).toEqual(['internal_error']);
  gate.finish();
});

it('a request whose processes died twice still has all attempts at its own failures', async () => {
  const gate = gatedAnswer(['late']);
  const broken = { kind: 'malformedChunk', at: 0 } as const;
  provider.script(gate, gate, broken, broken, { kind: 'answer', text: 'alive' });
  const id = await submitBatch(user, { texts: ['unlucky'] });
  for (const calls of [1, 2]) {
    await until('the call', () => provider.requests.length === calls);
    await until('the loss of its lease', async () => {
      // Again, because the process renews the lease.
      await query(
        api.database,
        `UPDATE batch_items SET lease_until = now() WHERE batch_id = $1 AND status = 'running' AND lost_leases < $2`,
        [id, calls],
      );
      const [item] = await query(
        api.database,
        'SELECT lost_leases::int AS lost FROM batch_items WHERE batch_id = $1',
        [id],
      );
      return item?.['lost'] === calls;
    });
  }
  expect(at(await untilEnded(user, id), 'counts')).toMatchObject({ completed: 1, failed: 0 });
  expect((await readLines(user, id)).map((line) => at(line, 'text'))).toEqual(['alive']);
  expect(provider.requests).toHaveLength(5);
  const [item] = await query(
    api.database,
    'SELECT attempts::int, lost_leases::int AS lost FROM batch_items WHERE batch_id = $1',
    [id],
  );
  expect(item).toEqual({ attempts: 3, lost: 2 });
  gate.finish();
});

describe('a file of requests', () => {
  it('may have a byte order mark, CRLF, a blank last line and a line of 10 MB, and each request its own fault', async () => {
    const lines = [
      { custom_id: 'marked', text: 'Hi' },
      { custom_id: 'large', text: 'x'.repeat(10 * MEGABYTE), model: 'nobody/none' },
      { custom_id: 'streamed', text: 'Hi', stream: true },
      { custom_id: 'last', text: 'Hi' },
    ];
    const content = `\ufeff${lines.map((line) => JSON.stringify(line)).join('\r\n')}\r\n\r\n`;
    const input_file_id = await uploadBatchInput(api.url, user, content);
    const id = await submitBatch(user, { input_file_id });
    expect(await untilEnded(user, id)).toMatchObject({ status: 'completed', total: 4 });
    const results = await readLines(user, id, '?response=none');
    expect(results.map((line) => [at(line, 'custom_id'), at(line, 'error', 'code') ?? null])).toEqual([
      ['marked', null],
      ['large', 'model_not_found'],
      ['streamed', 'invalid_request'],
      ['last', null],
    ]);
  });

  it('with faults names the line and the code of each, and nothing of it runs', async () => {
    const nested = { custom_id: 'nested', method: 'POST', url: '/v1/batches', body: {} };
    const own = { custom_id: 'own', method: 'POST', url: '/api/v1/batch', body: { texts: ['Hi'] } };
    const lines = ['{"text":"Hi"}', '"\xff"', '{"text"', JSON.stringify(nested), JSON.stringify(own)];
    const content = Buffer.from(lines.join('\n'), 'latin1');
    const input_file_id = await uploadBatchInput(api.url, user, new Uint8Array(content));
    const batch = await untilEnded(user, await submitBatch(user, { input_file_id }));
    expect(batch).toMatchObject({
      status: 'failed',
      errors: [
        { line: 2, code: 'invalid_json_line' },
        { line: 3, code: 'invalid_json_line' },
        { line: 4, code: 'url_mismatch' },
        { line: 5, code: 'url_mismatch' },
      ],
    });
    expect(provider.requests).toEqual([]);
  });
});

it('a batch of 50,000 requests can be cancelled with statistics from before it', async () => {
  provider.setDefault(gatedAnswer(['slow']));
  await submitBatch(user, { texts: ['slow'] });
  // PostgreSQL then expects few requests in each batch.
  await query(api.database, 'ALTER TABLE batch_items SET (autovacuum_enabled = off)');
  await query(api.database, 'ANALYZE batch_items');
  const id = await submitBatch(user, { texts: Array.from({ length: 50_000 }, () => 'slow') });
  await user.request('POST', `${BATCHES}/${id}/cancel`);
  expect(await untilEnded(user, id)).toMatchObject({ status: 'cancelled', total: 50_000 });
});

describe('a provider', () => {
  it('that does not answer leaves a quarter of the slots to others', async () => {
    const gate = gatedAnswer(['slow']);
    provider.setDefault(gate);
    const slow = await submitBatch(user, { texts: Array.from({ length: 8 }, () => 'slow') });
    await until('all slots that it may have', () => provider.requests.length === 3);
    const other = await submitBatch(user, { texts: ['one', 'two'], model: 'demo/echo' });
    expect(at(await untilEnded(user, other), 'counts')).toMatchObject({ completed: 2 });
    expect(provider.requests).toHaveLength(3);
    gate.finish();
    expect(at(await untilEnded(user, slow), 'counts')).toMatchObject({ completed: 8 });
  });

  // The last one: it pauses the provider for a minute.
  it('that refuses further calls pauses its own requests only, which have lost no attempt', async () => {
    provider.setDefault({ kind: 'error', status: 429, retryAfterMs: 600_000 });
    const requests = ['openai/test-model', 'demo/echo'].flatMap((model) =>
      Array.from({ length: 6 }, () => ({ text: 'Hi', model })),
    );
    const id = await submitBatch(user, { requests });
    await until('the others', async () => {
      const { body } = await user.request('GET', `${BATCHES}/${id}`);
      return at(body, 'counts', 'completed') === 6;
    });
    const waiting = await query(
      api.database,
      'SELECT lane, attempts::int FROM batch_items WHERE batch_id = $1 AND ended_at IS NULL',
      [id],
    );
    expect(waiting).toEqual(Array(6).fill({ lane: 'openai', attempts: 0 }));
    // Those that were running when it refused the first one.
    expect(provider.requests.length).toBeLessThanOrEqual(3);
  });
});
