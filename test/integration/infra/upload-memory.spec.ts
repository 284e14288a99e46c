// Real components: the storage over the AWS SDK and an S3-compatible server.
import { randomUUID } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { expect, it } from '@jest/globals';
import type { StorageKey } from '../../../src/infra/storage/index.js';
import { S3Storage } from '../../../src/infra/storage/s3-storage.js';
import { createTestBucket } from '../../support/s3-server.js';
import { setUpResource } from '../../support/set-up.js';
import { until } from '../../support/stored.js';

const MIB = 2 ** 20;

/** More than an upload may have without a lease, so that it waits after its first piece. */
const PIECE = Buffer.alloc(100_000);

/** Memory for two parts; one account may have one of them. */
const TWO_PARTS = 10 * MIB;

const TIMEOUTS = { connectMs: 5_000, requestMs: 60_000, silenceMs: 30_000 };

const bucket = setUpResource(async () => {
  const resource = await createTestBucket();
  return { resource, close: () => resource.client.destroy() };
});

function openStorage(partMs = 600_000): S3Storage {
  return new S3Storage({ ...bucket().config, uploadBufferBytes: TWO_PARTS }, { ...TIMEOUTS, partMs });
}

/** A client that sends some pieces, and the rest only after `release`. */
class SlowClient {
  /** Number of pieces that were read of those. */
  read = 0;
  private readonly gate = Promise.withResolvers<null>();

  constructor(
    private readonly first: number,
    private readonly rest: number,
  ) {}

  release(): void {
    this.gate.resolve(null);
  }

  get isSlow(): boolean {
    return this.read === this.first;
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    while (this.read < this.first) {
      this.read += 1;
      yield PIECE;
    }
    await this.gate.promise;
    for (let sent = 0; sent < this.rest; sent += 1) yield PIECE;
  }
}

function newKey(folder: string = randomUUID()): StorageKey {
  return { folder, name: randomUUID() };
}

async function storedKeys(storage: S3Storage): Promise<string[]> {
  const keys = await Array.fromAsync(storage.keysBefore(Date.now() + 60_000));
  return keys.map(({ name }) => name).sort();
}

it('uploads of 20 slow clients have no more bytes in memory than they may, and all are stored', async () => {
  const storage = openStorage();
  const clients = Array.from({ length: 20 }, () => new SlowClient(40, 0));
  const keys = clients.map(() => newKey());
  const uploads = clients.map((client, index) => storage.put(keys[index] ?? newKey(), client.bytes()));
  await until('each client to have sent something', () => clients.every(({ read }) => read > 0));
  await until('two clients to be slow', () => clients.filter(({ isSlow }) => isSlow).length === 2);
  for (let turns = 0; turns < 100; turns += 1) await new Promise(setImmediate);
  // The others are not read beyond the piece that did not fit.
  expect(clients.map(({ read }) => read).sort((one, other) => other - one)).toEqual([
    ...[40, 40],
    ...Array.from({ length: 18 }, () => 1),
  ]);
  for (const client of clients) client.release();
  await Promise.all(uploads);
  expect(await storedKeys(storage)).toEqual(expect.arrayContaining(keys.map(({ name }) => name)));
  storage.onApplicationShutdown();
}, 120_000);

it('slow clients of one account, however many, do not keep another account from uploading', async () => {
  const storage = openStorage();
  const folder = randomUUID();
  const slow = Array.from({ length: 5 }, () => new SlowClient(2, 100));
  const uploads = slow.map((client) => storage.put(newKey(folder), client.bytes()));
  await until('one of them to be slow', () => slow.some(({ isSlow }) => isSlow));
  const quick = new SlowClient(100, 0);
  quick.release();
  const key = newKey();
  await storage.put(key, quick.bytes());
  expect(await storedKeys(storage)).toContain(key.name);
  for (const client of slow) client.release();
  await Promise.all(uploads);
  storage.onApplicationShutdown();
}, 60_000);

it('an upload that is aborted while it waits for memory leaves nothing, and one that waits after it goes on', async () => {
  const storage = openStorage();
  const folder = randomUUID();
  const slow = new SlowClient(2, 1);
  const first = storage.put(newKey(folder), slow.bytes());
  await until('the first one to be slow', () => slow.isSlow);
  const before = await storedKeys(storage);
  const abortion = new AbortController();
  const waiting = storage.put(newKey(folder), new SlowClient(2, 1).bytes(), { signal: abortion.signal });
  const next = new SlowClient(2, 1);
  next.release();
  const last = storage.put(newKey(folder), next.bytes());
  await until('the wait', () => getEventListeners(abortion.signal, 'abort').length === 1);
  const reason = new Error('The client disconnected.');
  abortion.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(getEventListeners(abortion.signal, 'abort')).toEqual([]);
  slow.release();
  await Promise.all([first, last]);
  expect(await storedKeys(storage)).toHaveLength(before.length + 2);
  storage.onApplicationShutdown();
});

it('a client that is too slow while another account waits loses its memory and gets 408, and nothing of it is stored', async () => {
  const storage = openStorage(1);
  const clients = [new SlowClient(2, 1), new SlowClient(2, 1)];
  const before = await storedKeys(storage);
  const uploads = Promise.allSettled(clients.map((client) => storage.put(newKey(), client.bytes())));
  await until('both to be slow', () => clients.every(({ isSlow }) => isSlow));
  const quick = new SlowClient(2, 1);
  quick.release();
  const key = newKey();
  await storage.put(key, quick.bytes());
  for (const client of clients) client.release();
  const outcomes = await uploads;
  expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: { code: 'request_timeout' } });
  // The second one was slow as well, but its memory was not needed.
  expect(outcomes[1]).toMatchObject({ status: 'fulfilled' });
  expect(await storedKeys(storage)).toHaveLength(before.length + 2);
  storage.onApplicationShutdown();
});

it('an upload whose size is known to be small waits only for as much memory as it needs', async () => {
  const storage = openStorage();
  const folder = randomUUID();
  const clients = Array.from({ length: 5 }, () => new SlowClient(2, 0));
  const maxBytes = 2 * PIECE.length;
  const uploads = clients.map((client) => storage.put(newKey(folder), client.bytes(), { maxBytes }));
  await until('all to be in memory', () => clients.every(({ isSlow }) => isSlow));
  for (const client of clients) client.release();
  await Promise.all(uploads);
  await expect(
    storage.put(newKey(folder), new SlowClient(3, 0).bytes(), { maxBytes: PIECE.length }),
  ).rejects.toThrow('more bytes than was declared');
  storage.onApplicationShutdown();
});
