// Real components: the built server as a process that is killed, PostgreSQL, text extraction, a provider of embeddings.
// Triggers hold the server at each stage of an ingestion: they wait for an advisory lock that the test has.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { DocumentRepository } from '../../src/features/rag/ingest/document.repository.js';
import { ReindexRepository } from '../../src/features/rag/ingest/reindex.repository.js';
import { PrismaService } from '../../src/infra/database/index.js';
import { idOf } from '../support/accounts.js';
import { registerUser, type TestUser, userWith } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { elements, property } from '../support/fake-provider/unknown-value.js';
import { uploadedId } from '../support/files.js';
import { addHoldFunction, holdTrigger, killServerAt } from '../support/kill-at.js';
import {
  ingestionRows,
  makeCollection,
  paragraphs,
  retrievalRows,
  untilIngested,
} from '../support/retrieval.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { setUpProvider } from '../support/set-up.js';
import { query, until } from '../support/stored.js';

/** More chunks than one transaction stores, and than two requests embed. */
const PARAGRAPHS = 210;

const PATIENCE_MS = 60_000;

/** Advisory locks, by the stage at which a trigger waits for them. */
const STAGES = { claim: 81, chunks: 82, vectors: 83, finish: 84, switch: 85, deletion: 86 } as const;
type Stage = keyof typeof STAGES;

const provider = setUpProvider();

let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let database: TestDatabase;
let holder: pg.Client;
let prisma: PrismaService;
let server: ServerProcess;
let user: TestUser;
let userId: string;
let collectionId: string;

function start(): ServerProcess {
  return startServer({
    DATA_DIR: dataDir.path,
    DATABASE_URL: database.url,
    OPENAI_BASE_URL: provider.baseUrl,
    LLM_MAX_RETRIES: '0',
  });
}

beforeAll(async () => {
  dataDir = await makeDataDir();
  database = await createMigratedDatabase();
  holder = new pg.Client({ connectionString: database.url });
  await holder.connect();
  prisma = new PrismaService({ connectionString: database.url, poolMax: 2 });
  server = start();
  user = await registerUser(await server.ready);
  userId = await idOf(user);
  collectionId = await makeCollection({ database }, userId, { embeddingModel: 'openai/embedder' });
  const trigger = (stage: Stage, when: string, condition: string): string =>
    holdTrigger({ name: stage, lock: STAGES[stage] }, when, condition);
  await addHoldFunction(holder);
  await holder.query(`
    ${trigger('claim', 'UPDATE ON ingestions', 'OLD.lease_id IS NULL AND NEW.lease_id IS NOT NULL')}
    ${trigger('chunks', 'INSERT ON chunks', 'NEW.ordinal = 195')}
    ${trigger('vectors', 'INSERT ON chunk_embeddings', 'NEW.ordinal = 100')}
    ${trigger('finish', 'UPDATE ON ingestions', 'NEW.visible AND NOT OLD.visible')}
    ${trigger('switch', 'UPDATE ON collection_indexes', "NEW.status = 'active' AND OLD.status = 'building'")}
    ${trigger('deletion', 'DELETE ON documents', 'TRUE')}`);
}, 150_000);

afterAll(async () => {
  await server.end('SIGKILL');
  await prisma.onApplicationShutdown();
  await holder.end();
  await database.drop();
  await dataDir.remove();
});

/** Holds the server at a stage, kills it there after what `begin` starts, and starts another one. */
async function killAt(stage: Stage, begin: () => Promise<void>): Promise<void> {
  await killServerAt({ name: stage, lock: STAGES[stage] }, holder, server, begin);
  // Makes the claims of the dead process expire now.
  await holder.query("UPDATE ingestions SET due_at = now() - interval '1 second' WHERE lease_id IS NOT NULL");
  server = start();
  user = userWith(await server.ready, user.token);
}

async function addDocument(text: string): Promise<string> {
  const fileId = await uploadedId(await server.ready, user, { bytes: text });
  const version = { userId, collectionId, fileId, ownsFile: true, title: 'a.txt', metadata: {} };
  return (await new DocumentRepository(prisma).insertDocument(version)).id;
}

/** Returns the numbers of texts of the requests for embeddings since the last call. */
function embeddedTexts(): number {
  const texts = provider.requests
    .filter(({ route }) => route === 'embeddings')
    .flatMap(({ body }) => elements(property(body, 'input')));
  return new Set(texts.map(String)).size;
}

describe('a server that is killed with SIGKILL', () => {
  it.each([
    ['before its claim', 'claim'],
    ['between the storing of chunks', 'chunks'],
    ['between the storing of vectors', 'vectors'],
    ['before it becomes visible', 'finish'],
  ] as const)(
    'while it ingests a document, %s, leaves an ingestion that the next one ends, with each chunk once',
    async (_name, stage) => {
      let id = '';
      await killAt(stage, async () => {
        id = await addDocument(paragraphs(PARAGRAPHS, stage));
      });
      const row = await untilIngested({ database }, id, PATIENCE_MS);
      const { chunk_count: count } = row;
      expect(row).toMatchObject({
        status: 'ready',
        visible: true,
        chunks: count,
        terms: count,
        vectors: count,
      });
      expect(count).toBeGreaterThanOrEqual(PARAGRAPHS);
      expect(embeddedTexts()).toBe(count);
      const chunks = await query(database, 'SELECT text FROM chunks WHERE ingestion_id = $1', [row['id']]);
      const words = chunks.reduce((sum, { text }) => sum + String(text).trim().split(/\s+/).length, 0);
      const [usage] = await query(database, 'SELECT sum(input_tokens)::int AS tokens FROM usage_records');
      expect(usage?.['tokens']).toBe(words);
      await query(database, 'DELETE FROM usage_records');
    },
    150_000,
  );

  it('while it switches to a new index keeps the old one, and the next one switches', async () => {
    const indexes = () =>
      query(
        database,
        'SELECT id, embedding_model FROM collection_indexes WHERE collection_id = $1 ORDER BY status DESC',
        [collectionId],
      );
    const [old] = await indexes();
    const settings = { embeddingModel: null, chunkTokens: 400, chunkOverlap: 0 };
    await killAt('switch', async () => {
      await new ReindexRepository(prisma).beginReindex({ userId, collectionId }, settings);
      expect((await indexes())[0]).toEqual(old);
    });
    await until('the switch', async () => (await indexes()).length === 1, PATIENCE_MS);
    expect(await indexes()).toMatchObject([{ embedding_model: null }]);
    await until(
      'the old rows to be gone',
      async () => (await retrievalRows({ database }))['chunk_embeddings'] === undefined,
      PATIENCE_MS,
    );
    const [document] = await query(database, 'SELECT id FROM documents LIMIT 1');
    expect(await ingestionRows({ database }, String(document?.['id']))).toMatchObject([
      { status: 'ready', visible: true, index: 'active' },
    ]);
  }, 150_000);

  it('while it deletes a collection leaves rows that the next one deletes, with the files', async () => {
    await killAt('deletion', async () => {
      await query(database, 'UPDATE collections SET deleted_at = now() WHERE id = $1', [collectionId]);
    });
    await until(
      'the rows to be gone',
      async () => Object.keys(await retrievalRows({ database })).length === 0,
      PATIENCE_MS,
    );
    expect(await query(database, 'SELECT 1 FROM files UNION ALL SELECT 1 FROM file_contents')).toEqual([]);
  }, 150_000);
});
