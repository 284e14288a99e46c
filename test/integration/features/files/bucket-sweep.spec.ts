// Real components: the API over a socket, PostgreSQL, and an S3-compatible server.
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Clock } from '../../../../src/common/clock.js';
import { ContentSweepRepository } from '../../../../src/features/files/content-sweep.repository.js';
import { FileRepository } from '../../../../src/features/files/file.repository.js';
import { FileSweep } from '../../../../src/features/files/file-sweep.js';
import { PrismaService } from '../../../../src/infra/database/index.js';
import type { StorageKey } from '../../../../src/infra/storage/index.js';
import { S3Storage } from '../../../../src/infra/storage/s3-storage.js';
import { idOf } from '../../../support/accounts.js';
import { startApi, type TestApi } from '../../../support/api.js';
import { registerUser } from '../../../support/client.js';
import { uploadedId } from '../../../support/files.js';
import { LaterClock } from '../../../support/clock.js';
import { createTestBucket, type TestBucket } from '../../../support/s3-server.js';

let bucket: TestBucket;
let api: TestApi;
let prisma: PrismaService;

beforeAll(async () => {
  bucket = await createTestBucket();
  api = await startApi(bucket.settings);
  prisma = new PrismaService({ connectionString: api.database.url, poolMax: 1 });
});

afterAll(async () => {
  await prisma.onApplicationShutdown();
  await api.close();
  bucket.client.destroy();
});

/** A bucket whose objects cannot all be listed. */
class FailingStorage extends S3Storage {
  readonly removals: number[] = [];

  override async *keysBefore(time: number): AsyncGenerator<StorageKey> {
    yield* super.keysBefore(time);
    throw new Error('not all listed');
  }

  override removeUnfinishedUploads(time: number): Promise<number> {
    this.removals.push(time);
    return super.removeUnfinishedUploads(time);
  }
}

it('objects without a row are deleted after a day, and unfinished uploads also if not all could be listed', async () => {
  const owner = await registerUser(api.url);
  const folder = await idOf(owner);
  await uploadedId(api.url, owner);
  const storage = new FailingStorage(bucket.config);
  const [kept] = await Array.fromAsync(new S3Storage(bucket.config).keysBefore(Date.now() + 60_000));
  await storage.put({ folder, name: randomUUID() }, Readable.from([Buffer.from('x')]));
  const files = new FileRepository(prisma);
  const contents = new ContentSweepRepository(prisma);

  expect(await new FileSweep(files, new S3Storage(bucket.config), new Clock(), contents).run()).toBe(0);
  const sweep = new FileSweep(files, storage, new LaterClock(), contents);
  await expect(sweep.run()).rejects.toThrow('not all listed');
  expect(storage.removals).toHaveLength(1);
  const left = await Array.fromAsync(new S3Storage(bucket.config).keysBefore(Date.now() + 60_000));
  expect(left).toEqual([kept]);
  storage.onApplicationShutdown();
});
