/*
 * node bench/uploads.mjs [--clients 100] [--mb 30] [--rate 256] [--accounts 25]
 *
 * Measures the memory of the built server while slow clients upload files to S3: `--clients` at once, shared by
 * `--accounts`, each of `--mb` megabytes at `--rate` kilobytes a second at most. The store is a server of its own that
 * stores nothing. The database is the embedded one. Linux only, because the memory comes from /proc.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { residentMb } from './linux-processes.mjs';
import { registerAccount, startParley } from './parley.mjs';
import { Fleet, runMeasurement } from './processes.mjs';
import { Folders } from './targets/index.mjs';

const MIB = 2 ** 20;

/** Bytes that a client sends at once. */
const PIECE = 65_536;

const fleet = new Fleet();
const folders = new Folders();

async function start() {
  const store = await fleet.start({
    name: 'The store',
    arguments: [join(import.meta.dirname, 'targets/discarding-store.mjs')],
  });
  return startParley(fleet, {
    settings: {
      DATA_DIR: await folders.make(),
      S3_BUCKET: 'bench',
      S3_ENDPOINT: store.url,
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench',
    },
  });
}

/** Uploads a file slowly and returns the status of the response. */
async function upload(url, token, { bytes, rate }) {
  const head = Buffer.from(
    `--b\r\nContent-Disposition: form-data; name="file"; filename="${randomUUID()}.bin"\r\nContent-Type: application/octet-stream\r\n\r\n${randomUUID()}`,
  );
  const tail = Buffer.from('\r\n--b--\r\n');
  const piece = Buffer.alloc(PIECE);
  const sending = request(`${url}/api/v1/files`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'multipart/form-data; boundary=b',
      'content-length': head.length + bytes + tail.length,
    },
  });
  // The server may close the connection of a client that it has refused.
  sending.on('error', () => undefined);
  const answered = once(sending, 'response');
  let isAnswered = false;
  const end = () => (isAnswered = true);
  answered.then(end, end);
  sending.write(head);
  for (let sent = 0; sent < bytes && !isAnswered; sent += PIECE) {
    const [from, rest] = [performance.now(), bytes - sent];
    if (!sending.write(rest < PIECE ? piece.subarray(0, rest) : piece))
      await Promise.race([once(sending, 'drain'), answered]);
    await delay(Math.max(0, PIECE / rate - (performance.now() - from)));
  }
  sending.end(tail);
  const [response] = await answered;
  const body = await json(response);
  return response.statusCode === 201 ? 201 : `${response.statusCode} (${body.error?.message})`;
}

async function run() {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '100' },
      mb: { type: 'string', default: '30' },
      rate: { type: 'string', default: '256' },
      accounts: { type: 'string', default: '25' },
    },
  });
  const server = await start();
  const tokens = [];
  for (let count = 0; count < Number(values.accounts); count += 1)
    tokens.push(await registerAccount(server.url));
  // Loads all that an upload needs.
  await upload(server.url, tokens[0], { bytes: MIB, rate: 1e6 });
  await upload(server.url, tokens[0], { bytes: 12 * MIB, rate: 1e6 });
  await delay(2_000);
  await server.sample({ collect: true });
  const idle = residentMb(server.pid);
  const beginning = performance.now();
  const answers = await Promise.all(
    Array.from({ length: Number(values.clients) }, (_, index) =>
      // One after the other, because they do not fill their parts at the same moment.
      delay(index * 20).then(() =>
        upload(server.url, tokens[index % tokens.length], {
          bytes: Number(values.mb) * MIB,
          // Bytes a millisecond.
          rate: (Number(values.rate) * 1024) / 1000,
        }).catch((error) => error.code),
      ),
    ),
  );
  const seconds = (performance.now() - beginning) / 1000;
  const peak = residentMb(server.pid, 'VmHWM');
  const statuses = Object.entries(Object.groupBy(answers, String)).map(
    ([status, all]) => `${all?.length} × ${status}`,
  );
  await delay(5_000);
  console.log(
    `${values.clients} uploads of ${values.mb} MB at ${values.rate} KB/s: ${statuses.join(', ')} in ${seconds.toFixed(0)} s; memory (RSS) idle ${idle.toFixed(0)} MB, at most ${(peak - idle).toFixed(0)} MB more, ${(residentMb(server.pid) - idle).toFixed(0)} MB more 5 s later; load ${loadavg()[0].toFixed(1)}`,
  );
}

await runMeasurement(fleet, run, () => folders.remove());
