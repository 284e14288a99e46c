// Real components: the built server as a process that is killed, PostgreSQL, the processes for text extraction, and the
// store of the run: a folder, or S3. Triggers
// hold the server at each stage of a text, of several documents at once: they wait for advisory locks that the test has.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ContentSweepRepository } from '../../src/features/files/content-sweep.repository.js';
import { FileRepository } from '../../src/features/files/file.repository.js';
import { FileSweep } from '../../src/features/files/file-sweep.js';
import { PrismaService } from '../../src/infra/database/index.js';
import { idOf } from '../support/accounts.js';
import { registerUser, type TestUser, userWith } from '../support/client.js';
import { LaterClock } from '../support/clock.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { extractionProcesses, isRunning, whenGone } from '../support/documents.js';
import { setUpFileStore, storedNames } from '../support/file-store.js';
import { textRows } from '../support/file-texts.js';
import { upload, uploadedId } from '../support/files.js';
import {
  addHoldFunction,
  expireJobLocks,
  type HeldStage,
  holdAt,
  holdTrigger,
  killHeldServer,
  queueSchema,
} from '../support/kill-at.js';
import { makePdf } from '../support/pdf.js';
import { describeWithRedis, redisSettings } from '../support/redis.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, type Row, until } from '../support/stored.js';

/** More pages than one statement inserts. */
const PAGES = 501;

const PATIENCE_MS = 60_000;

/** Advisory locks, by the stage at which a trigger waits for them. */
const STAGES = {
  claim: { name: 'claim', lock: 71 },
  secondPages: { name: 'secondPages', lock: 72 },
  file: { name: 'file', lock: 73 },
  jobEnd: { name: 'jobEnd', lock: 74 },
} as const;

/** Pages of the documents whose texts are being extracted when the server is killed, by the stage of each. */
const DOCUMENTS = { claim: 1, parsing: PAGES, secondPages: PAGES, jobEnd: 1 } as const;
type Document = keyof typeof DOCUMENTS;

const store = setUpFileStore();

let longPdf: Buffer<ArrayBuffer>;
let shortPdf: Buffer<ArrayBuffer>;
let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let database: TestDatabase;
let holder: pg.Client;
let user: TestUser;
let userId: string;
const servers: ServerProcess[] = [];

function start(more: Readonly<Record<string, string>> = {}, script?: string): ServerProcess {
  mkdirSync(temporaryFolder(), { recursive: true });
  const settings = {
    DATA_DIR: dataDir.path,
    DATABASE_URL: database.url,
    TMPDIR: temporaryFolder(),
    ...store().settings,
    ...more,
  };
  const server = startServer(settings, script);
  servers.push(server);
  return server;
}

async function setUp(more: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const pages = Array.from({ length: PAGES }, (_, index) => `Page ${index + 1}`);
  [shortPdf, longPdf] = [await makePdf(pages.slice(0, 1)), await makePdf(pages)];
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
  await addHoldFunction(holder);
  await holder.query(`
    ${holdTrigger(STAGES.claim, 'UPDATE ON file_texts', 'OLD.lease_id IS NULL AND NEW.lease_id IS NOT NULL')}
    ${holdTrigger(STAGES.secondPages, 'INSERT ON file_pages', `NEW.page = ${PAGES}`)}
    ${holdTrigger(STAGES.file, 'INSERT ON files')}
    ${holdTrigger(STAGES.jobEnd, `DELETE ON "${String(await queueSchema(database))}".job`, "OLD.name = 'file-text'")}`);
}

/** Waits until the queue of texts is empty. */
async function untilNoJobs(): Promise<void> {
  const sql = `SELECT FROM "${String(await queueSchema(database))}".job WHERE name = 'file-text'`;
  await until('the queue of texts to be empty', async () => (await query(database, sql)).length === 0);
}

/** Uploads a document whose text is extracted, with bytes of its own. */
async function uploadPdf(url: string, pages = PAGES): Promise<string> {
  const pdf = pages === PAGES ? longPdf : shortPdf;
  const bytes = Buffer.concat([pdf, Buffer.from(`\n% ${crypto.randomUUID()}\n`)]);
  return uploadedId(url, user, { name: 'a.pdf', type: 'application/pdf', bytes });
}

async function rowOf(fileId: string): Promise<Row | undefined> {
  const [file] = await query(database, 'SELECT content_id FROM files WHERE id = $1', [fileId]);
  return (await textRows({ database }, userId)).find((row) => row['content_id'] === file?.['content_id']);
}

/** Makes the claims of dead processes expire now, and the locks that they have on jobs of a queue in PostgreSQL. */
async function expireClaims(): Promise<void> {
  await expireJobLocks(database);
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

/** Stops the processes for text extraction, while one of them extracts the text, and returns their ids. */
async function holdExtraction(server: ServerProcess, fileId: string): Promise<readonly number[]> {
  return until(
    'a process for text extraction',
    async () => {
      const pids = extractionProcesses(server.child.pid);
      if (pids.length === 0 || (await rowOf(fileId))?.['lease_id'] === null) return false;
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      return pids;
    },
    PATIENCE_MS,
  );
}

/** Returns the names of the bytes that are stored for the account. */
function storedBytes(): Promise<string[]> {
  return storedNames(store(), userId);
}

/** Returns the temporary files and folders of servers. */
function temporaryFiles(): string[] {
  return readdirSync(temporaryFolder());
}

/** Folder for the temporary files of the servers: that of the machine has those of other specs too. */
function temporaryFolder(): string {
  return join(dataDir.path, 'temporary');
}

describe('a server that is killed with SIGKILL while it extracts texts', () => {
  let parsers: readonly number[];
  let keptBytes: string[];
  let keptTemporary: string[];
  const files: Partial<Record<Document, string>> = {};
  const textOf = (document: Document): Promise<Row | undefined> => rowOf(String(files[document]));

  beforeAll(async () => {
    // A place for each of the documents.
    const server = await setUp({ EXTRACTION_PROCESSES: String(Object.keys(DOCUMENTS).length) });
    const url = await server.ready;
    const begin = async (document: Document): Promise<void> => {
      files[document] = await uploadPdf(url, DOCUMENTS[document]);
    };
    const hold = (stage: HeldStage, started: () => Promise<void>): Promise<void> =>
      holdAt(stage, holder, started);
    await addTriggers();
    keptTemporary = temporaryFiles();
    await hold(STAGES.jobEnd, () => begin('jobEnd'));
    await begin('parsing');
    parsers = await holdExtraction(server, String(files.parsing));
    await hold(STAGES.secondPages, () => begin('secondPages'));
    await hold(STAGES.claim, () => begin('claim'));
    keptBytes = await storedBytes();
    await hold(STAGES.file, () => {
      upload(url, user, { name: 'b.txt', bytes: 'interrupted' }).catch(() => undefined);
      return Promise.resolve();
    });
    await killHeldServer(server, holder, Object.values(STAGES));
    for (const pid of parsers) process.kill(pid, 'SIGCONT');
  }, 300_000);

  afterAll(tearDown);

  it('leaves the text of each document as it was before the stage', async () => {
    expect(await textOf('claim')).toMatchObject({ status: 'pending', attempts: 0, pages: 0 });
    expect(await textOf('parsing')).toMatchObject({ status: 'pending', attempts: 1, pages: 0 });
    expect(await textOf('secondPages')).toMatchObject({ status: 'pending', attempts: 1, pages: 0 });
    expect(await textOf('jobEnd')).toMatchObject({ status: 'ready', attempts: 1, pages: DOCUMENTS.jobEnd });
  });

  it('leaves no process that parses a document', async () => {
    expect(parsers).not.toEqual([]);
    for (const pid of parsers) await whenGone(pid);
  });

  it('leaves only bytes of an upload that the sweep deletes', async () => {
    const [left, ...others] = (await storedBytes()).filter((name) => !keptBytes.includes(name));
    expect([left, others]).toEqual([expect.any(String), []]);
    const prisma = new PrismaService({ connectionString: database.url, poolMax: 2 });
    try {
      const contents = new ContentSweepRepository(prisma);
      const sweep = new FileSweep(new FileRepository(prisma), store().storage, new LaterClock(), contents);
      expect(await sweep.run()).toBe(1);
    } finally {
      await prisma.onApplicationShutdown();
    }
    expect((await storedBytes()).sort()).toEqual(keptBytes.sort());
    const contents = await query(database, 'SELECT id FROM file_contents WHERE user_id = $1', [userId]);
    expect(contents.map(({ id }) => id).sort()).toEqual(keptBytes.sort());
  });

  describe('is followed by one that', () => {
    let server: ServerProcess;

    beforeAll(async () => {
      await expireClaims();
      server = start();
      user = userWith(await server.ready, user.token);
    }, 150_000);

    it.each([
      ['before the claim', 'claim', 1],
      ['while it was parsed', 'parsing', 2],
      ['between the storing of pages', 'secondPages', 2],
      ['after the commit, before the job ended', 'jobEnd', 1],
    ] as const)(
      'extracts the text of a document %s once, with all pages',
      async (_name, document, attempts) => {
        await untilReady(String(files[document]));
        // A job that is run once more must not extract the text again.
        await untilNoJobs();
        expect(await textOf(document)).toMatchObject({
          status: 'ready',
          attempts,
          pages: DOCUMENTS[document],
          page_count: DOCUMENTS[document],
          lease_id: null,
        });
        expect(temporaryFiles().filter((name) => !keptTemporary.includes(name))).toEqual([]);
      },
    );

    it('releases a text without an attempt at SIGTERM, and the next process extracts it', async () => {
      const fileId = await uploadPdf(await server.ready);
      const pids = await holdExtraction(server, fileId);
      expect(await server.end('SIGTERM')).toBe(0);
      expect(pids.filter(isRunning)).toEqual([]);
      expect(await rowOf(fileId)).toMatchObject({ status: 'pending', attempts: 0, lease_id: null });
      server = start();
      await server.ready;
      expect(await untilReady(fileId)).toMatchObject({ status: 'ready', attempts: 1, pages: PAGES });
    }, 150_000);
  });
});

describeWithRedis('the text of a document with an API and a worker', () => {
  afterEach(tearDown);

  it('is extracted once by another worker after SIGKILL of the first, and its job may be lost', async () => {
    const api = await setUp({ WORKER: 'separate' });
    const worker = start(redisSettings(database), 'worker.js');
    const fileId = await uploadPdf(await api.ready);
    const pids = await holdExtraction(worker, fileId);
    const another = start(redisSettings(database), 'worker.js');
    await worker.end('SIGKILL');
    for (const pid of pids) process.kill(pid, 'SIGCONT');
    for (const pid of pids) await whenGone(pid);
    await expireClaims();
    expect(await untilReady(fileId)).toMatchObject({ status: 'ready', attempts: 2, pages: PAGES });
    expect(await another.end('SIGTERM')).toBe(0);
  }, 150_000);
});
