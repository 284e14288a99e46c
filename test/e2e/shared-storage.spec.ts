// Real components: two built API processes and a built worker, which share PostgreSQL, a Redis server and an S3 bucket
// behind a proxy that can hold back requests, and no folder.
import { type ListObjectsV2CommandOutput, ListObjectsV2Command, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ContentSweepRepository } from '../../src/features/files/content-sweep.repository.js';
import { FileRepository } from '../../src/features/files/file.repository.js';
import { FileSweep } from '../../src/features/files/file-sweep.js';
import { PrismaService } from '../../src/infra/database/index.js';
import { S3Storage } from '../../src/infra/storage/s3-storage.js';
import { at, collect, registerUser, send, textOf, type TestUser, userWith } from '../support/client.js';
import { LaterClock } from '../support/clock.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { upload } from '../support/files.js';
import { UNLIMITED } from '../support/limits.js';
import { makePdf } from '../support/pdf.js';
import { HAS_REDIS_SERVER, RedisServer } from '../support/redis-server.js';
import { S3Proxy } from '../support/s3-proxy.js';
import { createTestBucket, type TestBucket } from '../support/s3-server.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, until } from '../support/stored.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

/** Maximum duration of the start of three processes on a busy machine, in milliseconds. */
const START_MS = 180_000;

const MIB = 2 ** 20;

const PAGES = ['The harbor opens at seven.', 'The ferry leaves at nine.'];

if (!HAS_REDIS_SERVER) process.stderr.write('SKIPPED: shared storage: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('two API processes and a worker on one bucket', () => {
  let bucket: TestBucket;
  let proxy: S3Proxy;
  let database: TestDatabase;
  let redis: RedisServer;
  const folders: Awaited<ReturnType<typeof makeDataDir>>[] = [];
  const servers: ServerProcess[] = [];
  /** The same account at each API process. */
  let here: TestUser;
  let there: TestUser;
  let hereServer: ServerProcess;
  let hereUrl: string;
  let thereUrl: string;

  /** Starts a process with a data directory of its own, as on a machine of its own. */
  async function start(script: string): Promise<ServerProcess> {
    const folder = await makeDataDir();
    folders.push(folder);
    const server = startServer(
      {
        DATA_DIR: folder.path,
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        WORKER: 'separate',
        JWT_SECRET: SECRET,
        ENCRYPTION_KEY: SECRET,
        DEFAULT_MODEL: 'demo/echo',
        DEMO_TOKENS_PER_SECOND: '100000',
        EXTRACTION_PROCESSES: '1',
        ...UNLIMITED,
        ...bucket.settings,
        S3_ENDPOINT: proxy.url,
      },
      script,
    );
    servers.push(server);
    return server;
  }

  async function objects(): Promise<string[]> {
    const { Contents: contents = [] }: ListObjectsV2CommandOutput = await bucket.client.send(
      new ListObjectsV2Command({ Bucket: bucket.config.bucket }),
    );
    return contents.map(({ Key }) => Key ?? '');
  }

  beforeAll(async () => {
    [bucket, database, redis] = await Promise.all([
      createTestBucket(),
      createMigratedDatabase(),
      RedisServer.reserve(),
    ]);
    proxy = await S3Proxy.start(bucket.config.endpoint);
    await redis.start();
    const [one, other, worker] = await Promise.all([start('main.js'), start('main.js'), start('worker.js')]);
    hereServer = one;
    [hereUrl, thereUrl] = await Promise.all([one.ready, other.ready]);
    await worker.printed(/running jobs/);
    here = await registerUser(hereUrl);
    there = userWith(thereUrl, here.token);
  }, START_MS);

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.end('SIGTERM')));
    await redis.stop();
    await database.drop();
    bucket.client.destroy();
    await proxy.close();
    for (const folder of folders) await folder.remove();
  }, START_MS);

  it('share a file: its bytes, its text, questions about it, and its deletion', async () => {
    const pdf = await makePdf(PAGES);
    const uploaded = await upload(hereUrl, here, { name: 'a.pdf', type: 'application/pdf', bytes: pdf });
    expect(uploaded.status).toBe(201);
    const id = String(at(uploaded.body, 'id'));
    expect(await objects()).toHaveLength(1);

    const content = await fetch(`${thereUrl}/api/v1/files/${id}/content`, {
      headers: { authorization: `Bearer ${there.token}` },
    });
    expect(Buffer.from(await content.arrayBuffer()).equals(pdf)).toBe(true);

    const text = await until('the text', async () => {
      const response = await there.request('GET', `/api/v1/files/${id}/text`);
      return response.status !== 409 && response;
    });
    expect({ status: text.status, body: JSON.stringify(text.body) }).toEqual({
      status: 200,
      body: expect.stringContaining(PAGES[1] ?? ''),
    });

    const answer = textOf(
      await collect(there.stream('/api/v1/analyze/pdf', { file_id: id, question: 'When does it leave?' })),
    );
    expect(answer).toContain('The harbor opens at seven.');

    expect((await here.request('DELETE', `/api/v1/files/${id}`)).status).toBe(204);
    for (const path of [`/api/v1/files/${id}`, `/api/v1/files/${id}/content`, `/api/v1/files/${id}/text`])
      expect((await there.request('GET', path)).status).toBe(404);
    expect(await objects()).toEqual([]);
  });

  it('store equal bytes once, whichever of them receives them, and delete them with the last file', async () => {
    const file = { bytes: 'The same bytes for both.' };
    const answers = await Promise.all([
      upload(hereUrl, here, file),
      upload(thereUrl, there, file),
      upload(hereUrl, here, file),
      upload(thereUrl, there, file),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(await objects()).toHaveLength(1);
    const [first = '', ...others] = answers.map(({ body }) => String(at(body, 'id')));
    // At the same moment on both: one of them deletes the last file.
    const deletions = others.map((id, index) =>
      (index % 2 === 0 ? here : there).request('DELETE', `/api/v1/files/${id}`),
    );
    for (const { status } of await Promise.all(deletions)) expect(status).toBe(204);
    const kept = await send(`${thereUrl}/api/v1/files/${first}/content`, {
      headers: { authorization: `Bearer ${there.token}` },
    });
    expect({ status: kept.status, body: kept.body }).toEqual({ status: 200, body: file.bytes });
    expect((await there.request('DELETE', `/api/v1/files/${first}`)).status).toBe(204);
    expect(await objects()).toEqual([]);
  });

  // The last test, because it kills one of them.
  it('leave nothing after a kill during two uploads, one between its parts and one before its row', async () => {
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE files IN SHARE MODE');
      const withoutRow = upload(hereUrl, here, { bytes: 'Stored, but its row waits.' }).catch(
        () => 'broken off',
      );
      await until('the object', async () => (await objects()).length === 1);
      proxy.fault = (line) => (line.includes('partNumber=2') ? 'stall' : undefined);
      const inParts = upload(hereUrl, here, { bytes: Buffer.alloc(12 * MIB, 'a') }).catch(() => 'broken off');
      await until('the second part', () => proxy.requests.some((line) => line.includes('partNumber=2')));
      await hereServer.end('SIGKILL');
      expect(await Promise.all([withoutRow, inParts])).toEqual(['broken off', 'broken off']);
    } finally {
      await holder.end();
    }
    await until('the transaction of the killed process to end', async () => {
      const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`;
      return (await query(database, waiting)).length === 0;
    });

    expect((await there.request('GET', '/api/v1/files')).body).toMatchObject({ data: [] });
    await sweepLater();
    expect(await objects()).toEqual([]);
    const thirdPart = { Bucket: bucket.config.bucket, ...unfinishedUpload(), PartNumber: 3, Body: 'x' };
    await expect(bucket.client.send(new UploadPartCommand(thirdPart))).rejects.toMatchObject({
      name: 'NoSuchUpload',
    });
    expect(await query(database, 'SELECT 1 FROM file_contents')).toEqual([]);
  });

  /** Returns the upload whose second part was held back. */
  function unfinishedUpload(): { readonly Key: string; readonly UploadId: string } {
    const line = proxy.requests.find((request) => request.includes('partNumber=2')) ?? '';
    const { pathname, searchParams } = new URL(line.replace('PUT ', proxy.url));
    return {
      Key: pathname.slice(`/${bucket.config.bucket}/`.length),
      UploadId: searchParams.get('uploadId') ?? '',
    };
  }

  /**
   * Runs the sweep of another process when all that is stored now is old enough to be deleted. The proxy lists the
   * unfinished upload, which the server in memory does not.
   */
  async function sweepLater(): Promise<void> {
    const prisma = new PrismaService({ connectionString: database.url, poolMax: 2 });
    const { Key, UploadId } = unfinishedUpload();
    const upload = `<Upload><Key>${Key}</Key><UploadId>${UploadId}</UploadId><Initiated>${new Date().toISOString()}</Initiated></Upload>`;
    const list = `<?xml version="1.0"?><ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${upload}</ListMultipartUploadsResult>`;
    proxy.fault = (line) => (/^GET .*[?&]uploads/.test(line) ? { status: 200, body: list } : undefined);
    const storage = new S3Storage({ ...bucket.config, endpoint: proxy.url });
    const contents = new ContentSweepRepository(prisma);
    await new FileSweep(new FileRepository(prisma), storage, new LaterClock(), contents).run();
    storage.onApplicationShutdown();
    await prisma.onApplicationShutdown();
  }
});
