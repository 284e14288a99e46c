// Real components: the built server as a process that is killed, PostgreSQL, text extraction, a provider of embeddings.
// Triggers hold the server at each stage of an ingestion, of several documents at once: they wait for advisory locks that
// the test has.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { idOf } from '../support/accounts.js';
import { at, registerUser, type TestUser, userWith } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { elements, property } from '../support/fake-provider/unknown-value.js';
import { untilExtracted } from '../support/file-texts.js';
import { uploadedId } from '../support/files.js';
import {
  addHoldFunction,
  expireJobLocks,
  type HeldStage,
  holdAt,
  holdTrigger,
  killHeldServer,
} from '../support/kill-at.js';
import { addText, COLLECTIONS, uploadDocument } from '../support/rag-documents.js';
import { ingestionRows, makeCollection, paragraphs, untilIngested } from '../support/retrieval.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { setUpProvider } from '../support/set-up.js';
import { query, type Row, until } from '../support/stored.js';

/** More chunks than one transaction stores, and than one request embeds. */
const PARAGRAPHS = 105;

/** Ordinal of a chunk that neither the first transaction nor the first request has. */
const LATER_CHUNK = 100;

const PATIENCE_MS = 60_000;

/** Advisory locks, by the stage at which a trigger waits for them. */
const STAGES = {
  claim: { name: 'claim', lock: 81 },
  chunks: { name: 'chunks', lock: 82 },
  vectors: { name: 'vectors', lock: 83 },
  finish: { name: 'finish', lock: 84 },
  switch: { name: 'switch', lock: 85 },
  deletion: { name: 'deletion', lock: 86 },
  document: { name: 'document', lock: 87 },
} as const;

/** The stages of an ingestion, those first that take long to reach, and the number of paragraphs of a document for each. */
const INGESTIONS = { vectors: PARAGRAPHS, chunks: PARAGRAPHS, finish: 3, claim: 3 } as const;
type IngestionStage = keyof typeof INGESTIONS;
const INGESTION_STAGES = ['vectors', 'chunks', 'finish', 'claim'] as const;

const MODEL = { embeddingModel: 'openai/embedder' } as const;

const provider = setUpProvider();

let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let database: TestDatabase;
let holder: pg.Client;
let server: ServerProcess;
let user: TestUser;
let userId: string;

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
  server = start();
  user = await registerUser(await server.ready);
  userId = await idOf(user);
  await addHoldFunction(holder);
  await holder.query(`
    ${holdTrigger(STAGES.claim, 'UPDATE ON ingestions', 'OLD.lease_id IS NULL AND NEW.lease_id IS NOT NULL')}
    ${holdTrigger(STAGES.chunks, 'INSERT ON chunks', `NEW.ordinal = ${LATER_CHUNK}`)}
    ${holdTrigger(STAGES.vectors, 'INSERT ON chunk_embeddings', `NEW.ordinal = ${LATER_CHUNK}`)}
    ${holdTrigger(STAGES.finish, 'UPDATE ON ingestions', 'NEW.visible AND NOT OLD.visible')}
    ${holdTrigger(STAGES.switch, 'UPDATE ON collection_indexes', "NEW.status = 'active' AND OLD.status = 'building'")}
    ${holdTrigger(STAGES.deletion, 'DELETE ON documents')}
    ${holdTrigger(STAGES.document, 'INSERT ON documents', "NEW.title = 'orphan.txt'")}`);
}, 150_000);

afterAll(async () => {
  await server.end('SIGKILL');
  await holder.end();
  await database.drop();
  await dataDir.remove();
});

/** Kills the server, which is held at these stages, and starts another one. */
async function killAndRestart(stages: readonly HeldStage[]): Promise<void> {
  await killHeldServer(server, holder, stages);
  // Makes the claims of the dead process expire now.
  await expireJobLocks(database);
  await query(
    database,
    "UPDATE ingestions SET due_at = now() - interval '1 second' WHERE lease_id IS NOT NULL",
  );
  server = start();
  user = userWith(await server.ready, user.token);
}

/** Uploads a file and waits for its text, so that its document is ingested without a wait. */
async function uploadText(text: string): Promise<string> {
  const fileId = await uploadedId(await server.ready, user, { bytes: text });
  await untilExtracted(user, fileId);
  return fileId;
}

/** Returns the texts of the requests for embeddings since the last test. */
function embeddedTexts(): Set<string> {
  const texts = provider.requests
    .filter(({ route }) => route === 'embeddings')
    .flatMap(({ body }) => elements(property(body, 'input')));
  return new Set(texts.map(String));
}

describe('a server that is killed with SIGKILL while it ingests documents', () => {
  const documents: Partial<Record<IngestionStage, string>> = {};
  let embedded: Set<string>;

  beforeAll(async () => {
    const collectionId = await makeCollection({ database }, userId, MODEL);
    const fileIds = new Map<IngestionStage, string>();
    for (const stage of INGESTION_STAGES)
      fileIds.set(stage, await uploadText(paragraphs(INGESTIONS[stage], stage)));
    for (const stage of INGESTION_STAGES)
      await holdAt(STAGES[stage], holder, async () => {
        const path = `${COLLECTIONS}/${collectionId}/documents`;
        const added = await user.request('POST', path, { file_id: fileIds.get(stage) });
        documents[stage] = String(at(added.body, 'id'));
      });
    await killAndRestart(INGESTION_STAGES.map((stage) => STAGES[stage]));
    for (const id of Object.values(documents)) await untilIngested({ database }, id, PATIENCE_MS);
    embedded = embeddedTexts();
  }, 300_000);

  it.each([
    ['before its claim', 'claim'],
    ['between the storing of chunks', 'chunks'],
    ['between the storing of vectors', 'vectors'],
    ['before it becomes visible', 'finish'],
  ] as const)(
    'leaves one, %s, to the next server, which ends it with each chunk once',
    async (_name, stage) => {
      const row = await untilIngested({ database }, String(documents[stage]));
      const { chunk_count: count } = row;
      expect(row).toMatchObject({
        status: 'ready',
        visible: true,
        chunks: count,
        terms: count,
        vectors: count,
      });
      expect(count).toBeGreaterThanOrEqual(INGESTIONS[stage]);
    },
  );

  it('has no chunk billed twice', async () => {
    const chunks = await query(database, 'SELECT text FROM chunks');
    expect(embedded.size).toBe(chunks.length);
    const words = chunks.reduce((sum, { text }) => sum + String(text).trim().split(/\s+/).length, 0);
    const [usage] = await query(database, 'SELECT sum(input_tokens)::int AS tokens FROM usage_records');
    expect(usage?.['tokens']).toBe(words);
  });
});

describe('a server that is killed with SIGKILL while it changes collections', () => {
  let reindexed: string;
  let reindexedDocument: string;
  let indexesBefore: Row[];
  let indexesMeanwhile: Row[];
  let deletedUserId: string;

  const indexes = (): Promise<Row[]> =>
    query(
      database,
      'SELECT id, embedding_model FROM collection_indexes WHERE collection_id = $1 ORDER BY status DESC',
      [reindexed],
    );

  beforeAll(async () => {
    const url = await server.ready;
    reindexed = await makeCollection({ database }, userId, MODEL);
    reindexedDocument = await addText(url, user, reindexed, 'reindexed');
    indexesBefore = await indexes();
    const another = await registerUser(url);
    deletedUserId = await idOf(another);
    const deleted = await makeCollection({ database }, deletedUserId, MODEL);
    const { body } = await uploadDocument(url, another, deleted, { bytes: 'deleted' });
    await untilIngested({ database }, String(at(body, 'id')), PATIENCE_MS);
    await holdAt(STAGES.deletion, holder, async () => {
      expect((await another.request('DELETE', `${COLLECTIONS}/${deleted}`)).status).toBe(204);
    });
    await holdAt(STAGES.switch, holder, async () => {
      const settings = { embedding_model: null, chunk_tokens: 400, chunk_overlap: 0 };
      const path = `${COLLECTIONS}/${reindexed}/reindex`;
      expect((await user.request('POST', path, settings)).status).toBe(202);
    });
    indexesMeanwhile = await indexes();
    await killAndRestart([STAGES.deletion, STAGES.switch]);
  }, 300_000);

  it('keeps the old index of a collection while it switches to a new one, and the next server switches', async () => {
    expect(indexesMeanwhile).toHaveLength(2);
    expect(indexesMeanwhile[0]).toEqual(indexesBefore[0]);
    await until('the switch', async () => (await indexes()).length === 1, PATIENCE_MS);
    expect(await indexes()).toMatchObject([{ embedding_model: null }]);
    const rows = await until(
      'the rows of the old index to be gone',
      async () => {
        const stored = await ingestionRows({ database }, reindexedDocument);
        return stored.length === 1 && stored;
      },
      PATIENCE_MS,
    );
    expect(rows).toMatchObject([{ status: 'ready', visible: true, index: 'active', chunks: 1, vectors: 0 }]);
    const [vectors] = await query(
      database,
      'SELECT count(*)::int AS n FROM chunk_embeddings WHERE ingestion_id NOT IN (SELECT id FROM ingestions)',
    );
    expect(vectors?.['n']).toBe(0);
  });

  it('leaves rows of a deleted collection that the next server deletes, with the files', async () => {
    const left = (): Promise<Row[]> =>
      query(
        database,
        `SELECT 'collections' AS table FROM collections WHERE user_id = $1
         UNION ALL SELECT 'collection_indexes' FROM collection_indexes WHERE user_id = $1
         UNION ALL SELECT 'documents' FROM documents WHERE user_id = $1
         UNION ALL SELECT 'ingestions' FROM ingestions WHERE user_id = $1
         UNION ALL SELECT 'chunk_terms' FROM chunk_terms WHERE user_id = $1
         UNION ALL SELECT 'chunk_embeddings' FROM chunk_embeddings WHERE user_id = $1
         UNION ALL SELECT 'chunk_signs' FROM chunk_signs WHERE user_id = $1
         UNION ALL SELECT 'chunks' FROM chunks WHERE text = 'deleted'`,
        [deletedUserId],
      );
    await until('the rows to be gone', async () => (await left()).length === 0, PATIENCE_MS);
    const files = await query(
      database,
      'SELECT 1 FROM files WHERE user_id = $1 UNION ALL SELECT 1 FROM file_contents WHERE user_id = $1',
      [deletedUserId],
    );
    expect(files).toEqual([]);
  });
});

describe('a server that is killed with SIGKILL between an uploaded file and its document', () => {
  it('leaves a file that expires, and none that stays among the files of the account', async () => {
    const collectionId = await makeCollection({ database }, userId);
    const url = await server.ready;
    const expiry = (name: string): Promise<Row[]> =>
      query(database, 'SELECT expires_at IS NOT NULL AS expires FROM files WHERE name = $1', [name]);
    let upload: Promise<unknown> = Promise.resolve();
    await holdAt(STAGES.document, holder, () => {
      upload = uploadDocument(url, user, collectionId, { name: 'orphan.txt', bytes: 'orphan' }).catch(
        (error: unknown) => error,
      );
      return Promise.resolve();
    });
    await killAndRestart([STAGES.document]);
    expect(await upload).toBeInstanceOf(Error);
    expect(await expiry('orphan.txt')).toEqual([{ expires: true }]);
    const again = await uploadDocument(await server.ready, user, collectionId, {
      name: 'adopted.txt',
      bytes: 'orphan',
    });
    expect(again.status).toBe(202);
    expect(await expiry('adopted.txt')).toEqual([{ expires: false }]);
  }, 300_000);
});
