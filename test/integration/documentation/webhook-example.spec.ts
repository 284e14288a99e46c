// Real components: the API on a socket with its jobs, and the receiver of docs/webhooks.md as a process.
import { once } from 'node:events';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { PACKAGE_ROOT } from '../../../src/config/index.js';
import { idOf } from '../../support/accounts.js';
import { freePort } from '../../support/free-port.js';
import { setUpApi, setUpUser } from '../../support/set-up.js';
import { until } from '../../support/stored.js';
import { makeWebhook, sendEvent, type TestWebhook, untilDelivery } from '../../support/webhooks.js';

const api = setUpApi();
const user = setUpUser(api);

let folder: string;
let webhook: TestWebhook;
let url: string;
let child: ChildProcess;
let output = '';

/** Returns true if something listens on a port of this machine. */
async function accepts(port: string): Promise<boolean> {
  const socket = connect(Number(port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

beforeAll(async () => {
  const page = readFileSync(join(PACKAGE_ROOT, 'docs/webhooks.md'), 'utf8');
  const code = /^```js\n(.*?)^```$/ms.exec(page)?.[1] ?? '';
  folder = mkdtempSync(join(tmpdir(), 'parley-webhook-example-'));
  symlinkSync(join(PACKAGE_ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'receiver.mjs'), code);
  const port = await freePort();
  url = `http://127.0.0.1:${port}/parley`;
  webhook = await makeWebhook(user, url, ['batch.failed']);
  child = spawn(process.execPath, [join(folder, 'receiver.mjs')], {
    env: { PORT: port, WEBHOOK_SECRET: webhook.secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await until('the receiver to listen', () => accepts(port));
});

afterAll(async () => {
  const exited = once(child, 'exit');
  child.kill();
  await exited;
  await rm(folder, { recursive: true });
});

it('the receiver of the documentation accepts a delivery, and refuses one that is not signed', async () => {
  await sendEvent(api, { userId: await idOf(user), type: 'batch.failed', objectId: 'batch_7' });
  await untilDelivery(api, webhook.id, { status: 'delivered', last_status_code: 204 });
  expect(output).toBe('batch.failed batch_7\n');
  const forged = await fetch(url, { method: 'POST', body: '{"type":"batch.completed","data":{"id":"x"}}' });
  expect(forged.status).toBe(400);
});
