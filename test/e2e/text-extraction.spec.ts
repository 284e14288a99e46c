// Real components: the built server as a process that is killed, PostgreSQL, the processes for text extraction. Triggers
// hold the server at each stage of a text: they wait for an advisory lock that the test has.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Clock } from '../../src/common/clock.js';
import { ContentSweepRepository } from '../../src/features/files/content-sweep.repository.js';
import { FileRepository } from '../../src/features/files/file.repository.js';
import { FileSweep, ORPHAN_AGE_MS } from '../../src/features/files/file-sweep.js';
import { PrismaService } from '../../src/infra/database/index.js';
import { FolderStorage } from '../../src/infra/storage/folder-storage.js';
import { idOf } from '../support/accounts.js';
import { registerUser, type TestUser, userWith } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { extractionProcesses, whenGone } from '../support/documents.js';
import { textRows } from '../support/file-texts.js';
import { upload, uploadedId } from '../support/files.js';
import { addHoldFunction, holdTrigger, killServerAt } from '../support/kill-at.js';
import { makePdf } from '../support/pdf.js';
import { describeWithRedis, redisSettings } from '../support/redis.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, type Row, until } from '../support/stored.js';

/** More than one statement inserts. */
const PAGES = 501;

const PATIENCE_MS = 60_000;

/** Advisory locks, by the stage at which a trigger waits for them. */
const STAGES = { claim: 71, secondPages: 72, file: 73, jobEnd: 74 } as const;
type Stage = keyof typeof STAGES;

let pdf: Buffer<ArrayBuffer>;
let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let database: TestDatabase;
let holder: pg.Client;
let user: TestUser;
let userId: string;
const servers: ServerProcess[] = [];

function start(more: Readonly<Record<string, string>> = {}, script?: string): ServerProcess {
  mkdirSync(temporaryFolder(), { recursive: true });
  const settings = { DATA_DIR: dataDir.path, DATABASE_URL: database.url, TMPDIR: temporaryFolder(), ...more };
  const server = startServer(settings, script);
  servers.push(server);
  return server;
}

async function setUp(more: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  pdf = await makePdf(Array.from({ length: PAGES }, (_, index) => `Page ${index + 1}`));
  dataDir = await makeDataDir();
  database = await createMigratedDatabase();
  holder = new pg.Client({ connectionString: database.url });
  await holder.connect();
  const server = start({ ...more, ...redisSettingsOf(more) });
  user = await registerUser(await server.ready);
  userId = await idOf(user);
  return server;
}

function redisSettingsOf({ WORKER }: Readonly<Record<string, string>>): Record<string, string> {
  return WORKER === 'separate' ? redisSettings(database) : {};
}

async function tearDown(): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.end('SIGKILL')));
  await holder.end();
  await database.drop();
  await dataDir.remove();
}

async function addTriggers(): Promise<void> {
  const [job] = await query(database, "SELECT schemaname FROM pg_tables WHERE tablename = 'job'");
  const trigger = (stage: Stage, when: string, condition?: string): string =>
    holdTrigger({ name: stage, lock: STAGES[stage] }, when, condition);
  await addHoldFunction(holder);
  await holder.query(`
    ${trigger('claim', 'UPDATE ON file_texts', 'OLD.lease_id IS NULL AND NEW.lease_id IS NOT NULL')}
    ${trigger('secondPages', 'INSERT ON file_pages', `NEW.page = ${PAGES}`)}
    ${trigger('file', 'INSERT ON files')}
    ${trigger('jobEnd', `DELETE ON "${String(job?.['schemaname'])}".job`)}`);
}

/** Holds the server at a stage, and kills it there after what `begin` starts. */
function killAt(stage: Stage, server: ServerProcess, begin: () => Promise<void>): Promise<void> {
  return killServerAt({ name: stage, lock: STAGES[stage] }, holder, server, begin);
}

/** Waits until the queue of texts is empty. */
async function untilNoJobs(): Promise<void> {
  const [table] = await query(database, "SELECT schemaname FROM pg_tables WHERE tablename = 'job'");
  await until(
    'the queue of texts to be empty',
    async () => {
      const jobs = await query(
        database,
        `SELECT FROM "${String(table?.['schemaname'])}".job WHERE name = 'file-text'`,
      );
      return jobs.length === 0;
    },
    PATIENCE_MS,
  );
}

/** Uploads a document whose text is extracted, with bytes of its own. */
async function uploadPdf(url: string): Promise<string> {
  const bytes = Buffer.concat([pdf, Buffer.from(`\n% ${crypto.randomUUID()}\n`)]);
  return uploadedId(url, user, { name: 'a.pdf', type: 'application/pdf', bytes });
}

async function rowOf(fileId: string): Promise<Row | undefined> {
  const [file] = await query(database, 'SELECT content_id FROM files WHERE id = $1', [fileId]);
  return (await textRows({ database }, userId)).find((row) => row['content_id'] === file?.['content_id']);
}

/** Makes the claims of dead processes expire now, and the locks that they have on jobs of a queue in PostgreSQL. */
async function expireClaims(): Promise<void> {
  const [job] = await query(database, "SELECT schemaname FROM pg_tables WHERE tablename = 'job'");
  if (job !== undefined)
    await query(
      database,
      `UPDATE "${String(job['schemaname'])}".job SET locked_until_ms = 1 WHERE state = 'active'`,
    );
  await query(
    database,
    "UPDATE file_texts SET due_at = now() - interval '1 second' WHERE lease_id IS NOT NULL",
  );
}

async function untilReady(fileId: string): Promise<Row | undefined> {
  return until(
    `the text of ${fileId}`,
    async () => {
      const row = await rowOf(fileId);
      return row?.['status'] !== 'pending' && row;
    },
    PATIENCE_MS,
  );
}

/** Stops the process that extracts a text, while the text is claimed, and returns its id. */
async function holdExtraction(server: ServerProcess, fileId: string): Promise<number> {
  return until(
    'a process for text extraction',
    async () => {
      const [pid] = extractionProcesses(server.child.pid);
      if (pid === undefined || (await rowOf(fileId))?.['lease_id'] === null) return false;
      process.kill(pid, 'SIGSTOP');
      return pid;
    },
    PATIENCE_MS,
  );
}

/** Returns the names of the bytes that are stored for the account. */
function storedBytes(): Promise<string[]> {
  return readdir(join(dataDir.path, 'files', userId));
}

/** Returns the temporary files and folders of servers. */
function temporaryFiles(): string[] {
  return readdirSync(temporaryFolder());
}

/** Folder for the temporary files of the servers: that of the machine has those of other specs too. */
function temporaryFolder(): string {
  return join(dataDir.path, 'temporary');
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the text of a document whose server is killed with SIGKILL', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await setUp();
    await addTriggers();
  }, 150_000);

  afterAll(tearDown);

  it.each([
    ['before the claim', 'claim', 1],
    ['between the storing of pages', 'secondPages', 2],
    ['after the commit, before the job ends', 'jobEnd', 1],
  ] as const)(
    '%s is extracted once after a restart, with all pages',
    async (_name, stage, attempts) => {
      let fileId = '';
      const before = temporaryFiles();
      // The end of the job of an earlier text would be taken for that of this one.
      await untilNoJobs();
      await killAt(stage, server, async () => {
        fileId = await uploadPdf(await server.ready);
        if (stage === 'jobEnd') await untilReady(fileId);
      });
      expect(await rowOf(fileId)).toMatchObject(
        stage === 'jobEnd' ? { status: 'ready', pages: PAGES } : { status: 'pending', pages: 0 },
      );
      await expireClaims();
      server = start();
      user = userWith(await server.ready, user.token);
      expect(await untilReady(fileId)).toMatchObject({
        status: 'ready',
        attempts,
        pages: PAGES,
        page_count: PAGES,
        lease_id: null,
      });
      expect(temporaryFiles().filter((name) => !before.includes(name))).toEqual([]);
    },
    150_000,
  );

  it('while it is parsed leaves no process behind, and is extracted once after a restart', async () => {
    const fileId = await uploadPdf(await server.ready);
    const pid = await holdExtraction(server, fileId);
    await server.end('SIGKILL');
    process.kill(pid, 'SIGCONT');
    await whenGone(pid);
    await expireClaims();
    server = start();
    await server.ready;
    expect(await untilReady(fileId)).toMatchObject({
      status: 'ready',
      attempts: 2,
      pages: PAGES,
      lease_id: null,
    });
  }, 150_000);

  it('during its upload leaves only bytes that the sweep deletes', async () => {
    const kept = await storedBytes();
    const url = await server.ready;
    await killAt('file', server, () => {
      upload(url, user, { name: 'b.txt', bytes: 'interrupted' }).catch(() => undefined);
      return Promise.resolve();
    });
    const [left, ...others] = (await storedBytes()).filter((name) => !kept.includes(name));
    expect([left, others]).toEqual([expect.any(String), []]);
    const then = new Date(Date.now() - ORPHAN_AGE_MS - 60_000);
    const folder = join(dataDir.path, 'files');
    await utimes(join(folder, userId, String(left)), then, then);
    const prisma = new PrismaService({ connectionString: database.url, poolMax: 2 });
    try {
      const contents = new ContentSweepRepository(prisma);
      const sweep = new FileSweep(
        new FileRepository(prisma),
        new FolderStorage(folder),
        new Clock(),
        contents,
      );
      expect(await sweep.run()).toBe(1);
    } finally {
      await prisma.onApplicationShutdown();
    }
    expect((await storedBytes()).sort()).toEqual(kept.sort());
    const contents = await query(database, 'SELECT id FROM file_contents WHERE user_id = $1', [userId]);
    expect(contents.map(({ id }) => id).sort()).toEqual(kept.sort());
  }, 150_000);

  it('is released without an attempt at SIGTERM, and the next process extracts it', async () => {
    server = start();
    const fileId = await uploadPdf(await server.ready);
    const pid = await holdExtraction(server, fileId);
    expect(await server.end('SIGTERM')).toBe(0);
    expect(isRunning(pid)).toBe(false);
    expect(await rowOf(fileId)).toMatchObject({ status: 'pending', attempts: 0, lease_id: null });
    server = start();
    await server.ready;
    expect(await untilReady(fileId)).toMatchObject({ status: 'ready', attempts: 1, pages: PAGES });
  }, 150_000);
});

describeWithRedis('the text of a document with an API and a worker', () => {
  afterEach(tearDown);

  it('is extracted once by another worker after SIGKILL of the first, and its job may be lost', async () => {
    const api = await setUp({ WORKER: 'separate' });
    const worker = start(redisSettings(database), 'worker.js');
    const fileId = await uploadPdf(await api.ready);
    const pid = await holdExtraction(worker, fileId);
    const another = start(redisSettings(database), 'worker.js');
    await worker.end('SIGKILL');
    process.kill(pid, 'SIGCONT');
    await whenGone(pid);
    await expireClaims();
    expect(await untilReady(fileId)).toMatchObject({ status: 'ready', attempts: 2, pages: PAGES });
    expect(await another.end('SIGTERM')).toBe(0);
  }, 150_000);
});
