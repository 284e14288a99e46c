import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import { type FileStorage, MissingContentError, type StorageKey } from '../../../src/infra/storage/index.js';
import { FolderStorage } from '../../../src/infra/storage/folder-storage.js';
import { S3Storage } from '../../../src/infra/storage/s3-storage.js';
import { startApi } from '../../support/api.js';
import { registerUser, send } from '../../support/client.js';
import { upload } from '../../support/files.js';
import { createTestBucket, type TestBucket } from '../../support/s3-server.js';
import { S3Proxy } from '../../support/s3-proxy.js';
import { setUpResource } from '../../support/set-up.js';
import { until } from '../../support/stored.js';

const MIB = 2 ** 20;

function newKey(folder = newId()): StorageKey {
  return { folder, name: newId() };
}

function sourceOf(bytes: Uint8Array): Readable {
  return Readable.from([bytes]);
}

async function keysIn(storage: FileStorage, folder: string, time = Date.now() + 60_000): Promise<string[]> {
  const keys = await Array.fromAsync(storage.keysBefore(time));
  return keys.filter((key) => key.folder === folder).map(({ name }) => name);
}

async function openFolder(): Promise<{ resource: FileStorage; close: () => unknown }> {
  const root = await mkdtemp(join(tmpdir(), 'parley-storage-'));
  return { resource: new FolderStorage(root), close: () => rm(root, { recursive: true, force: true }) };
}

async function openBucket(): Promise<{ resource: FileStorage; close: () => unknown }> {
  const { config, client } = await createTestBucket();
  const storage = new S3Storage(config);
  const close = (): void => {
    storage.onApplicationShutdown();
    client.destroy();
  };
  return { resource: storage, close };
}

describe.each([
  ['a folder', openFolder],
  ['S3', openBucket],
])('storage in %s', (_name, open) => {
  const current = setUpResource(open);

  it.each([0, 1, 5 * MIB, 5 * MIB + 1, 12 * MIB])('returns the %d bytes that were put', async (size) => {
    const key = newKey();
    const bytes = randomBytes(size);
    await current().put(key, sourceOf(bytes));
    expect((await buffer(await current().open(key))).equals(bytes)).toBe(true);
  });

  it.each([
    [0, 0],
    [3, 7],
    [90, 99],
    [0, 99],
  ])('returns exactly the bytes %d to %d of a range', async (start, end) => {
    const key = newKey();
    const bytes = randomBytes(100);
    await current().put(key, sourceOf(bytes));
    const read = await buffer(await current().open(key, { start, end }));
    expect(read.equals(bytes.subarray(start, end + 1))).toBe(true);
  });

  it('rejects opening content that does not exist, and deleting it is no error', async () => {
    const key = newKey();
    await expect(current().open(key)).rejects.toBeInstanceOf(MissingContentError);
    await current().delete(key);
    await current().deleteFolder(key.folder);
    await current().put(key, sourceOf(Buffer.from('x')));
    await current().delete(key);
    await expect(current().open(key)).rejects.not.toMatchObject({ code: 'service_unavailable' });
  });

  it.each(['../x', 'a/b', 'A', '', 'x'.repeat(65)])('rejects the key part %j', async (part) => {
    await expect(current().put({ folder: part, name: 'x' }, sourceOf(Buffer.from('x')))).rejects.toThrow(
      'storage key',
    );
    await expect(current().open({ folder: 'x', name: part })).rejects.toThrow('storage key');
    await expect(current().deleteFolder(part)).rejects.toThrow('storage key');
  });

  it('deletes all of a folder and nothing of another', async () => {
    const [one, other] = [newKey(), newKey()];
    for (let index = 0; index < 3; index += 1)
      await current().put(newKey(one.folder), sourceOf(randomBytes(9)));
    await current().put(other, sourceOf(randomBytes(9)));
    await current().deleteFolder(one.folder);
    expect(await keysIn(current(), one.folder)).toEqual([]);
    expect(await keysIn(current(), other.folder)).toEqual([other.name]);
  });

  it('lists the keys of content before a time and none after it', async () => {
    const key = newKey();
    await current().put(key, sourceOf(randomBytes(9)));
    expect(await keysIn(current(), key.folder)).toEqual([key.name]);
    expect(await keysIn(current(), key.folder, Date.now() - 60_000)).toEqual([]);
  });

  it.each([0, 1, MIB, 6 * MIB, 17 * MIB])(
    'leaves nothing if the source fails after %d bytes',
    async (size) => {
      const key = newKey();
      const failing = async function* (): AsyncGenerator<Uint8Array> {
        for (let sent = 0; sent < size; sent += MIB)
          yield await Promise.resolve(Buffer.alloc(Math.min(MIB, size - sent)));
        throw new Error('broken off');
      };
      for (let attempt = 0; attempt < 5; attempt += 1)
        await expect(current().put(key, failing())).rejects.toThrow('broken off');
      expect(await keysIn(current(), key.folder)).toEqual([]);
    },
  );

  it('stores 20 contents at the same time without mixing them', async () => {
    const keys = Array.from({ length: 20 }, () => newKey());
    const contents = keys.map(() => randomBytes(300_000));
    await Promise.all(
      keys.map((key, index) => current().put(key, sourceOf(contents[index] ?? randomBytes(1)))),
    );
    const read = await Promise.all(keys.map(async (key) => buffer(await current().open(key))));
    expect(read.map((bytes, index) => contents[index]?.equals(bytes))).toEqual(keys.map(() => true));
  });

  it('needs less memory than the size of a content to store it', async () => {
    const key = newKey();
    const block = Buffer.alloc(MIB);
    let made = 0;
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      for (; made < 100; made += 1) yield await Promise.resolve(block);
    };
    const before = process.memoryUsage().rss;
    let peak = before;
    const sampler = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 10);
    await current().put(key, slow());
    clearInterval(sampler);
    expect(peak - before).toBeLessThan(90 * MIB);
    const range = { start: 100 * MIB - 5, end: 100 * MIB - 1 };
    expect((await buffer(await current().open(key, range))).length).toBe(5);
    await current().delete(key);
  });
});

describe('FolderStorage', () => {
  it('rejects a key that exists and leaves its content unchanged', async () => {
    const root = await mkdtemp(join(tmpdir(), 'parley-storage-'));
    const storage = new FolderStorage(root);
    const key = newKey();
    await storage.put(key, sourceOf(Buffer.from('first')));
    await expect(storage.put(key, sourceOf(Buffer.from('second')))).rejects.toMatchObject({ code: 'EEXIST' });
    expect((await buffer(await storage.open(key))).toString()).toBe('first');
    expect(await readdir(join(root, key.folder))).toEqual([key.name]);
    await rm(root, { recursive: true });
  });
});

describe('S3Storage', () => {
  const current = setUpResource(async () => {
    const bucket: TestBucket = await createTestBucket();
    const proxy = await S3Proxy.start(bucket.config.endpoint);
    const storage = new S3Storage(
      { ...bucket.config, endpoint: proxy.url },
      { connectMs: 500, requestMs: 500, silenceMs: 300, partMs: 60_000 },
    );
    const close = async (): Promise<void> => {
      storage.onApplicationShutdown();
      bucket.client.destroy();
      await proxy.close();
    };
    return { resource: { proxy, storage }, close };
  });

  afterEach(() => {
    current().proxy.fault = () => undefined;
    current().proxy.requests.length = 0;
  });

  it('aborts the multipart upload of a source that fails', async () => {
    const { proxy, storage } = current();
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(Buffer.alloc(12 * MIB));
      throw new Error('broken off');
    };
    await expect(storage.put(newKey(), failing())).rejects.toThrow('broken off');
    expect(proxy.requests.filter((line) => /^POST .*uploads/.test(line))).toHaveLength(1);
    expect(proxy.requests.filter((line) => /^DELETE .*uploadId=/.test(line))).toHaveLength(1);
  });

  it.each([
    ['answers 500', { status: 500 } as const],
    ['stalls', 'stall' as const],
  ])('reports a store that %s as unavailable, and leaves no object and no upload', async (_name, fault) => {
    const { proxy, storage } = current();
    const key = newKey();
    proxy.fault = (line) => (line.startsWith('PUT') ? fault : undefined);
    for (const size of [1, 12 * MIB])
      await expect(storage.put(key, sourceOf(Buffer.alloc(size)))).rejects.toMatchObject({
        code: 'service_unavailable',
      });
    expect(proxy.requests.filter((line) => /^DELETE .*uploadId=/.test(line))).toHaveLength(1);
    expect(await keysIn(storage, key.folder)).toEqual([]);
  });

  it('names no object in the error of missing content', async () => {
    const { storage } = current();
    const key = newKey();
    const error: unknown = await storage.open(key).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ cause: { reason: 'NoSuchKey', status: 404 } });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(key.name);
  });

  it('fails the stream if the store cuts it off', async () => {
    const { proxy, storage } = current();
    const key = newKey();
    await storage.put(key, sourceOf(randomBytes(MIB)));
    proxy.fault = (line) => (line.startsWith('GET') ? 'cut' : undefined);
    await expect(buffer(await storage.open(key))).rejects.toMatchObject({ code: 'service_unavailable' });
  });

  it('ends the request if the reader destroys the stream', async () => {
    const { proxy, storage } = current();
    const key = newKey();
    await storage.put(key, sourceOf(randomBytes(20 * MIB)));
    const left = proxy.nextAbort();
    const stream = await storage.open(key);
    await once(stream, 'readable');
    stream.destroy();
    await left;
  });

  it('removes uploads that began before a time, and no others', async () => {
    const { proxy, storage } = current();
    const uploads = ['2020-01-01T00:00:00.000Z', '2030-01-01T00:00:00.000Z'].map(
      (begun) =>
        `<Upload><Key>${newId()}/${newId()}</Key><UploadId>id-${begun.slice(0, 4)}</UploadId><Initiated>${begun}</Initiated></Upload>`,
    );
    const list = `<?xml version="1.0"?><ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${uploads.join('')}</ListMultipartUploadsResult>`;
    proxy.fault = (line) => {
      if (line.startsWith('GET') && line.includes('uploads')) return { status: 200, body: list };
      return line.startsWith('DELETE') ? { status: 204 } : undefined;
    };
    expect(await storage.removeUnfinishedUploads(Date.parse('2026-01-01'))).toBe(1);
    const aborted = proxy.requests.filter((line) => line.startsWith('DELETE'));
    expect(aborted).toEqual([expect.stringContaining('id-2020')]);
  });

  it.each([400, 403, 405, 501])('goes on without listing uploads if the store answers %d', async (status) => {
    const { proxy, storage } = current();
    proxy.fault = (line) => (line.startsWith('GET') && line.includes('uploads') ? { status } : undefined);
    expect(await storage.removeUnfinishedUploads(Date.now())).toBe(0);
    expect(proxy.requests).toHaveLength(1);
  });

  it('fails to remove unfinished uploads while the store is unavailable', async () => {
    const { proxy, storage } = current();
    proxy.fault = () => ({ status: 500 });
    await expect(storage.removeUnfinishedUploads(Date.now())).rejects.toMatchObject({
      code: 'service_unavailable',
    });
  });

  it('names an object after the path of the file in a folder, so that a folder can be copied', async () => {
    const { proxy, storage } = current();
    const key = newKey();
    await storage.put(key, sourceOf(Buffer.from('x')));
    expect(proxy.requests.map((line) => line.split('?')[0])).toEqual([
      expect.stringMatching(new RegExp(`^PUT /[^/]+/${key.folder}/${key.name}$`)),
    ]);
  });
});

describe('a start with a bucket that cannot be reached', () => {
  it('logs one error that names the reason, and serves requests', async () => {
    const bucket = await createTestBucket();
    bucket.client.destroy();
    const proxy = await S3Proxy.start(bucket.config.endpoint);
    const endpoint = proxy.url;
    await proxy.close();
    const api = await startApi({ ...bucket.settings, S3_ENDPOINT: endpoint });
    try {
      const lines = await until('the log line', () => {
        const found = api.log.filter((line) => line.includes('S3_BUCKET'));
        return Promise.resolve(found.length > 0 && found);
      });
      expect(lines).toEqual([expect.stringContaining('the bucket of S3_BUCKET cannot be used')]);
      expect(lines[0]).toContain('ECONNREFUSED');
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 50 });
      expect((await send(`${api.url}/health/ready`)).status).toBe(200);
      const user = await registerUser(api.url);
      expect((await upload(api.url, user, {})).status).toBe(503);
    } finally {
      await api.close();
    }
  });
});
