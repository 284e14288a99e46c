// Real components: the application over a socket, PostgreSQL, text extraction, a provider of embeddings on a real socket.
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RemovedContentSweep } from '../../../../src/features/files/index.js';
import { MAX_CHUNKS } from '../../../../src/features/rag/ingest/document.errors.js';
import { DocumentReadRepository } from '../../../../src/features/rag/ingest/document-read.repository.js';
import { IngestionRepository } from '../../../../src/features/rag/ingest/ingestion.repository.js';
import { IngestionRunnerService } from '../../../../src/features/rag/ingest/ingestion-runner.service.js';
import { IngestionService } from '../../../../src/features/rag/ingest/ingestion.service.js';
import { IngestionStoreRepository } from '../../../../src/features/rag/ingest/ingestion-store.repository.js';
import { ReindexService } from '../../../../src/features/rag/ingest/reindex.service.js';
import { RetrievalSweep } from '../../../../src/features/rag/ingest/retrieval-sweep.js';
import { FileStorage } from '../../../../src/infra/storage/index.js';
import { idOf } from '../../../support/accounts.js';
import { asking, startApi } from '../../../support/api.js';
import { registerUser, type TestUser } from '../../../support/client.js';
import { ManualClock } from '../../../support/clock.js';
import { elements, property } from '../../../support/fake-provider/unknown-value.js';
import { textRows } from '../../../support/file-texts.js';
import { uploadedId } from '../../../support/files.js';
import {
  ingestionRows,
  makeCollection,
  paragraphs,
  retrievalRows,
  serviceOf,
  untilIngested,
  untilIngestion,
} from '../../../support/retrieval.js';
import { setUpApi, setUpProvider } from '../../../support/set-up.js';
import { query, type Row, until } from '../../../support/stored.js';

const MODEL = 'openai/embedder';

/** Hosts of the same provider with circuits of their own, which tests may open. */
const SPARE = 'spare';
const DISTANT = 'distant';

const provider = setUpProvider();
const clock = new ManualClock();
const api = setUpApi(
  () => ({
    ...asking(provider),
    LLM_HOSTS: JSON.stringify([SPARE, DISTANT].map((id) => ({ id, base_url: provider.baseUrl }))),
  }),
  undefined,
  clock,
);

let user: TestUser;
let userId: string;
let collectionId: string;

beforeEach(async () => {
  // What an earlier test left would take the scripted answers of this one.
  await query(api.database, "UPDATE ingestions SET status = 'cancelled', due_at = NULL, lease_id = NULL");
  user = await registerUser(api.url);
  userId = await idOf(user);
  collectionId = await makeCollection(api, userId, { embeddingModel: MODEL });
});

const ingestions = (): IngestionService => serviceOf(api, IngestionService);

async function versionOf(text: string | Uint8Array<ArrayBuffer>, name = 'a.txt') {
  const type = name.endsWith('.pdf') ? 'application/pdf' : 'text/plain';
  const fileId = await uploadedId(api.url, user, { name, type, bytes: text });
  return { userId, collectionId, fileId, ownsFile: true, title: name, metadata: { lang: 'en' } };
}

/** Adds a document with a file of its own and returns its id. */
async function addDocument(text: string | Uint8Array<ArrayBuffer>, name?: string): Promise<string> {
  return (await ingestions().addDocument(await versionOf(text, name))).id;
}

function refOf(documentId: string) {
  return { userId, collectionId, documentId };
}

function stateOf(id: string) {
  return serviceOf(api, DocumentReadRepository).findDocument({ ownerId: userId, collectionId }, id);
}

/** Makes an ingestion that waits due, and runs it. */
async function runNow({ id }: Row): Promise<void> {
  await query(api.database, 'UPDATE ingestions SET due_at = now() WHERE id = $1 AND lease_id IS NULL', [id]);
  await serviceOf(api, IngestionRunnerService).runIngestion({ id: String(id), userId });
}

/** Returns the numbers of texts of the requests for embeddings so far. */
function batchSizes(): number[] {
  return provider.requests
    .filter(({ route }) => route === 'embeddings')
    .map(({ body }) => elements(property(body, 'input')).length);
}

/** Returns the total tokens of the account's usage, and the number of its successful calls. */
async function ledger(): Promise<Row> {
  const [row] = await query(
    api.database,
    `SELECT COALESCE(sum(input_tokens), 0)::int AS tokens, count(*) FILTER (WHERE outcome = 'completed')::int AS calls
     FROM usage_records WHERE user_id = $1`,
    [userId],
  );
  return row ?? {};
}

function waiting({ lease_id: lease, wait }: Row): boolean {
  return lease === null && Number(wait) > 1;
}

describe('the ingestion of a document', () => {
  it('ends ready with spans that slice the text, terms and normalized vectors, and its usage in the ledger', async () => {
    const text = paragraphs(7);
    const id = await addDocument(text);
    const row = await untilIngested(api, id);
    expect(row).toMatchObject({ status: 'ready', visible: true, page_count: 1, lease_id: null, wait: null });
    const { chunk_count: count } = row;
    expect(count).toBeGreaterThan(6);
    expect(row).toMatchObject({
      chunks: count,
      terms: count,
      vectors: count,
      signs: count,
      embedded_count: count,
    });
    const chunks = await query(api.database, 'SELECT * FROM chunks WHERE ingestion_id = $1', [row['id']]);
    for (const chunk of chunks)
      expect(text.slice(Number(chunk['start']), Number(chunk['end']))).toBe(chunk['text']);
    const [length] = await query(
      api.database,
      `SELECT max(abs(1 - (SELECT sum(v * v) FROM unnest(embedding) AS v))) AS error FROM chunk_embeddings
       WHERE ingestion_id = $1`,
      [row['id']],
    );
    expect(Number(length?.['error'])).toBeLessThan(1e-5);
    expect(await stateOf(id)).toMatchObject({
      status: 'ready',
      progress: 1,
      pageCount: 1,
      chunkCount: count,
      warnings: [],
      error: null,
      metadata: { lang: 'en' },
    });
    expect(await ledger()).toMatchObject({ calls: 1 });
    const [index] = await query(
      api.database,
      'SELECT dimensions FROM collection_indexes WHERE collection_id = $1',
      [collectionId],
    );
    expect(index?.['dimensions']).toBe(8);
  });

  it('needs no model in a collection without one', async () => {
    collectionId = await makeCollection(api, userId);
    expect(await untilIngested(api, await addDocument('Hello world'))).toMatchObject({
      status: 'ready',
      chunks: 1,
      terms: 1,
      vectors: 0,
    });
    expect(batchSizes()).toEqual([]);
  });

  it('fails with the reason for which there is no text', async () => {
    const id = await addDocument(Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\ngarbage', 'latin1'), 'a.pdf');
    expect(await untilIngested(api, id)).toMatchObject({
      status: 'failed',
      error_code: 'damaged',
      chunks: 0,
    });
    expect(await stateOf(id)).toMatchObject({ status: 'failed', error: { code: 'damaged' } });
  });

  it('happens once for the same bytes that are sent 20 times at once', async () => {
    const text = paragraphs(3);
    const versions = await Promise.all(Array.from({ length: 20 }, () => versionOf(text)));
    const added = await Promise.all(versions.map((version) => ingestions().addDocument(version)));
    expect(new Set(added.map(({ id }) => id)).size).toBe(1);
    expect(added.filter(({ isDuplicate }) => isDuplicate)).toHaveLength(19);
    await untilIngested(api, String(added[0]?.id));
    expect(batchSizes()).toHaveLength(1);
    expect(await ledger()).toMatchObject({ calls: 1 });
    expect(await query(api.database, 'SELECT id FROM files WHERE user_id = $1', [userId])).toHaveLength(1);
  });

  it('is refused above the number of documents of an account', async () => {
    const version = await versionOf('one more');
    await query(
      api.database,
      `INSERT INTO documents (id, collection_id, user_id, file_id, owns_file, hash, title)
       SELECT gen_random_uuid(), $1, $2, $3, FALSE, n::text::bytea, '' FROM generate_series(1, 10000) AS n`,
      [collectionId, userId, version.fileId],
    );
    await expect(ingestions().addDocument(version)).rejects.toMatchObject({ code: 'limit_reached' });
  });

  it('is not found in the collection, or with the file, of another account', async () => {
    const version = await versionOf('mine');
    const id = await addDocument('mine too');
    await untilIngested(api, id);
    const stranger = await idOf(await registerUser(api.url));
    await expect(ingestions().addDocument({ ...version, userId: stranger })).rejects.toMatchObject({
      code: 'not_found',
    });
    const theirs = await makeCollection(api, stranger);
    await expect(
      ingestions().addDocument({ ...version, userId: stranger, collectionId: theirs }),
    ).rejects.toMatchObject({ code: 'not_found' });
    const ref = { ...refOf(id), userId: stranger };
    for (const change of [
      ingestions().cancelIngestion(ref),
      ingestions().retryIngestion(ref),
      ingestions().deleteDocument(ref),
      ingestions().replaceDocument(id, { ...version, userId: stranger }),
    ])
      await expect(change).rejects.toMatchObject({ code: 'not_found' });
    expect(await stateOf(id)).toMatchObject({ status: 'ready' });
  });
});

describe('an embedding provider', () => {
  it('that limits the rate is waited for, which uses no attempt', async () => {
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 60 });
    const id = await addDocument('Hello world');
    const row = await untilIngestion(api, id, waiting);
    expect(row).toMatchObject({
      status: 'processing',
      stage: 'embedding',
      embedded_count: 0,
      error_code: null,
    });
    expect(Number(row['attempts'])).toBeLessThanOrEqual(1);
    expect(Number(row['wait'])).toBeGreaterThan(30);
    await runNow(row);
    expect(await untilIngested(api, id)).toMatchObject({ status: 'ready', vectors: 1 });
  });

  it.each([
    ['unavailable', { kind: 'error', status: 503 }],
    ['away', { kind: 'reset' }],
  ] as const)(
    'that is %s is waited for, however often, and progress does not go back',
    async (_name, fault) => {
      collectionId = await makeCollection(api, userId, { embeddingModel: `${SPARE}/embedder` });
      provider.scriptFor('embeddings', ...Array.from({ length: 8 }, () => fault));
      const id = await addDocument('Hello world');
      let progress = 0;
      for (let round = 0; round < 8; round += 1) {
        const row = await untilIngestion(api, id, waiting);
        const state = await stateOf(id);
        expect(state?.progress).toBeGreaterThanOrEqual(progress);
        progress = state?.progress ?? 0;
        await runNow(row);
      }
      // The circuit of the provider may be open for a while.
      const row = await untilIngestion(api, id, (one) => one['status'] === 'ready' || waiting(one));
      expect(['ready', 'processing']).toContain(row['status']);
      expect(row['error_code']).toBeNull();
    },
  );

  it('that is away for 5 minutes leaves a document with its vectors and all attempts, and ready once it is back', async () => {
    collectionId = await makeCollection(api, userId, { embeddingModel: `${DISTANT}/embedder` });
    provider.scriptFor(
      'embeddings',
      { kind: 'answer' },
      ...Array.from({ length: 50 }, () => ({ kind: 'reset' }) as const),
    );
    const id = await addDocument(paragraphs(150));
    let progress = 0;
    for (let seconds = 0; seconds < 300;) {
      const row = await untilIngestion(api, id, waiting);
      expect(row).toMatchObject({
        status: 'processing',
        stage: 'embedding',
        attempts: 0,
        embedded_count: 96,
        error_code: null,
      });
      const state = await stateOf(id);
      expect(state?.progress).toBeGreaterThanOrEqual(progress);
      progress = state?.progress ?? 0;
      const wait = Math.ceil(Number(row['wait']));
      expect(wait).toBeLessThanOrEqual(60);
      seconds += wait;
      // By this clock the circuit of the host lets a request through now and then.
      clock.advance(wait * 1_000);
      await query(
        api.database,
        'UPDATE ingestions SET created_at = created_at - make_interval(secs => $1) WHERE document_id = $2',
        [wait, id],
      );
      await runNow(row);
    }
    expect(batchSizes().length).toBeGreaterThan(2);
    const last = await untilIngestion(api, id, waiting);
    provider.reset();
    clock.advance(60_000);
    await runNow(last);
    const row = await untilIngested(api, id);
    expect(row).toMatchObject({ status: 'ready', vectors: row['chunks'] });
    expect(batchSizes()).toEqual([Number(row['chunks']) - 96]);
    expect(await ledger()).toMatchObject({ calls: 2 });
  });

  it('is asked for fewer texts at a time if the account may not use more at once', async () => {
    const limited = await startApi({ ...asking(provider), RATE_LIMIT_TPM: '3000' });
    try {
      const owner = await registerUser(limited.url);
      const ownerId = await idOf(owner);
      const collection = await makeCollection(limited, ownerId, { embeddingModel: MODEL });
      const fileId = await uploadedId(limited.url, owner, { name: 'a.txt', bytes: paragraphs(150) });
      const { id } = await serviceOf(limited, IngestionService).addDocument({
        userId: ownerId,
        collectionId: collection,
        fileId,
        ownsFile: true,
        title: 'a.txt',
        metadata: {},
      });
      const row = await untilIngestion(limited, id, ({ vectors }) => Number(vectors) > 0);
      expect(row).toMatchObject({ status: 'processing', warnings: [] });
      expect(Math.max(...batchSizes())).toBeLessThan(96);
    } finally {
      await limited.close();
    }
  });

  it('that refuses a request gets halves of it, and one text that it refuses gets shorter', async () => {
    const tooLarge = { kind: 'error', status: 400, code: 'context_length_exceeded' } as const;
    provider.scriptFor('embeddings', tooLarge, { kind: 'error', status: 413 });
    const id = await addDocument(paragraphs(8));
    const row = await untilIngested(api, id);
    expect(row).toMatchObject({ status: 'ready', warnings: [], vectors: row['chunks'] });
    const [first = 0, ...others] = batchSizes();
    expect(others.slice(0, 2)).toEqual([Math.ceil(first / 2), Math.ceil(first / 4)]);

    provider.reset();
    provider.scriptFor('embeddings', tooLarge, tooLarge);
    const short = await addDocument('word '.repeat(80));
    expect(await untilIngested(api, short)).toMatchObject({ status: 'ready', vectors: 1 });
    expect((await stateOf(short))?.warnings).toEqual([{ code: 'embedding_truncated', chunks: [0] }]);
    const lengths = provider.requests.map(({ body }) => String(elements(property(body, 'input'))[0]).length);
    expect(lengths[1]).toBe(Math.ceil(Number(lengths[0]) / 2));
  });

  it('that fails in between is asked for the missing vectors only after a retry, and each chunk is billed once', async () => {
    const text = paragraphs(150);
    provider.scriptFor(
      'embeddings',
      { kind: 'answer' },
      { kind: 'error', status: 404, message: 'no such model' },
    );
    const id = await addDocument(text);
    const failed = await untilIngested(api, id);
    expect(failed).toMatchObject({
      status: 'failed',
      error_code: 'model_not_found',
      embedded_count: 96,
      vectors: 96,
    });
    const before = await stateOf(id);
    expect(before?.progress).toBeGreaterThan(0.3);
    await ingestions().retryIngestion(refOf(id));
    const row = await untilIngested(api, id);
    expect(row).toMatchObject({ status: 'ready', vectors: row['chunks'] });
    const rest = Number(row['chunks']) - 96;
    expect(batchSizes()).toEqual([96, Math.min(96, rest), rest]);
    const words = await query(api.database, 'SELECT text FROM chunks WHERE ingestion_id = $1', [row['id']]);
    const tokens = words.reduce((sum, { text: chunk }) => sum + String(chunk).trim().split(/\s+/).length, 0);
    expect(await ledger()).toEqual({ tokens, calls: 2 });
  });

  it('that fails without a known reason is given up after 5 attempts, with its sentence', async () => {
    provider.scriptFor(
      'embeddings',
      ...Array.from({ length: 5 }, () => ({ kind: 'error', status: 401 }) as const),
    );
    const id = await addDocument('Hello world');
    for (let round = 1; round < 5; round += 1) {
      const row = await untilIngestion(api, id, waiting);
      expect(row).toMatchObject({ status: 'processing', attempts: round });
      await runNow(row);
    }
    const row = await untilIngested(api, id);
    expect(row).toMatchObject({ status: 'failed', error_code: 'provider_error' });
    expect(row['error_message']).toContain('credentials');
  });

  it('whose vectors have other dimensions than the index makes the document fail with a sentence', async () => {
    await untilIngested(api, await addDocument('first'));
    provider.embeddingDimensions = 4;
    expect(await untilIngested(api, await addDocument('second'))).toMatchObject({
      status: 'failed',
      error_code: 'reindex_required',
      vectors: 0,
    });
    expect(await ledger()).toMatchObject({ calls: 2 });
  });
});

describe('a document whose text takes too long to extract', () => {
  it('fails after one attempt, and the next one is ready, although one process extracts both', async () => {
    const narrow = await startApi({
      ...asking(provider),
      EXTRACTION_PROCESSES: '1',
      EXTRACTION_TIMEOUT_S: '2',
      EXTRACTION_MEMORY_MB: '1024',
    });
    try {
      const owner = await registerUser(narrow.url);
      const ownerId = await idOf(owner);
      const target = { userId: ownerId, collectionId: await makeCollection(narrow, ownerId) };
      const add = async (name: string, bytes: string): Promise<string> => {
        const fileId = await uploadedId(narrow.url, owner, { name, bytes });
        const version = { ...target, fileId, ownsFile: true, title: name, metadata: {} };
        return (await serviceOf(narrow, IngestionService).addDocument(version)).id;
      };
      const slow = await add('slow.txt', '\u0301\u0323'.repeat(5_000_000));
      const next = await add('next.txt', 'Hello world');
      expect(await untilIngested(narrow, next)).toMatchObject({ status: 'ready', chunks: 1 });
      expect(await untilIngested(narrow, slow)).toMatchObject({ status: 'failed', error_code: 'timeout' });
      expect((await textRows(narrow, ownerId)).map(({ attempts }) => attempts)).toEqual([1, 1]);
    } finally {
      await narrow.close();
    }
  });
});

describe('a claim on an ingestion', () => {
  it('that has expired stores nothing once another process has the ingestion, but its usage', async () => {
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 600 });
    const id = await addDocument('Hello world');
    const { id: ingestionId } = await untilIngestion(api, id, waiting);
    const ref = { id: String(ingestionId), userId };
    const repository = serviceOf(api, IngestionRepository);
    const claim = async () => {
      await query(api.database, 'UPDATE ingestions SET due_at = now() WHERE id = $1', [ingestionId]);
      const claims = await Promise.all(Array.from({ length: 5 }, () => repository.claimIngestion(ref)));
      const [claimed, ...others] = claims.filter((one) => one !== undefined);
      if (claimed === undefined || others.length > 0) throw new Error('One claim succeeds.');
      return claimed;
    };
    const first = await claim();
    const second = await claim();
    const store = serviceOf(api, IngestionStoreRepository);
    const vectors = { first: 0, vectors: [[1, 0, 0]], warnings: [] };
    const usage = (callId: string) => ({
      callId,
      attempts: [
        {
          attempt: 1,
          provider: 'openai',
          model: 'embedder',
          outcome: 'completed' as const,
          usage: {
            inputTokens: 5,
            outputTokens: 0,
            cachedTokens: 0,
            cacheWriteTokens: 0,
            reasoningTokens: 0,
          },
          costMicroUsd: null,
          estimated: false,
        },
      ],
    });
    const late = { ...vectors, usage: usage(crypto.randomUUID()) };
    expect(await store.storeVectors(first, late)).toBe('lost');
    expect(await repository.renewClaim(first)).toBe(false);
    expect(await repository.releaseClaim(first, { waitSeconds: 0, counted: true })).toBe(false);
    const mine = { ...vectors, usage: usage(crypto.randomUUID()) };
    expect(await store.storeVectors(second, mine)).toBe('stored');
    // Repeated, because the confirmation of the commit was lost.
    expect(await store.storeVectors(second, mine)).toBe('stored');
    expect(await ledger()).toEqual({ tokens: 10, calls: 2 });
    expect((await ingestionRows(api, id)).at(-1)).toMatchObject({ embedded_count: 1, vectors: 1 });
  });
});

describe('the replacement of a document', () => {
  it('shows the old version until the new one is finished, and the later of two requests wins', async () => {
    const id = await addDocument('old text');
    const { file_id: oldFile } = await untilIngested(api, id);
    provider.scriptFor('embeddings', { kind: 'silence' });
    await ingestions().replaceDocument(id, await versionOf('lost text', 'lost.txt'));
    await provider.nextRequest('embeddings');
    await until('the second request', () => batchSizes().length >= 2);
    expect(await stateOf(id)).toMatchObject({ title: 'a.txt', status: 'processing' });
    const rows = await ingestionRows(api, id);
    expect(rows.map(({ visible, version }) => [version, visible])).toEqual([
      [1, true],
      [2, false],
    ]);
    await ingestions().replaceDocument(id, await versionOf('new text', 'new.txt'));
    const row = await untilIngestion(api, id, ({ version, status }) => version === 3 && status === 'ready');
    expect(await ingestionRows(api, id)).toHaveLength(1);
    expect(row).toMatchObject({ visible: true, chunks: 1, vectors: 1 });
    expect(await stateOf(id)).toMatchObject({ title: 'new.txt', status: 'ready', fileId: row['file_id'] });
    const files = await query(api.database, 'SELECT id FROM files WHERE user_id = $1', [userId]);
    expect(files).toEqual([{ id: row['file_id'] }]);
    expect(row['file_id']).not.toBe(oldFile);
    const [chunk] = await query(api.database, 'SELECT text FROM chunks WHERE ingestion_id = $1', [row['id']]);
    expect(chunk?.['text']).toBe('new text');
  });

  it('that is cancelled or fails leaves the old version', async () => {
    const id = await addDocument('old text');
    await untilIngested(api, id);
    provider.scriptFor('embeddings', { kind: 'error', status: 404 });
    await ingestions().replaceDocument(id, await versionOf('new text', 'new.txt'));
    await untilIngestion(api, id, ({ version, status }) => version === 2 && status === 'failed');
    expect(await stateOf(id)).toMatchObject({ title: 'a.txt', status: 'failed' });
    expect((await ingestionRows(api, id))[0]).toMatchObject({
      version: 1,
      visible: true,
      chunks: 1,
      vectors: 1,
    });
    await ingestions().retryIngestion(refOf(id));
    await untilIngestion(api, id, ({ version, status }) => version === 2 && status === 'ready');
    expect(await stateOf(id)).toMatchObject({ title: 'new.txt', status: 'ready' });
  });

  it('before the first version is finished makes it a document of the new file, which goes with it', async () => {
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 600 });
    const id = await addDocument('first text');
    const [first] = await ingestionRows(api, id);
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 600 });
    const version = { ...(await versionOf('second text', 'second.txt')), ownsFile: false };
    await ingestions().replaceDocument(id, version);
    expect(await stateOf(id)).toMatchObject({ title: 'second.txt', fileId: version.fileId });
    expect((await user.request('GET', `/api/v1/files/${String(first?.['file_id'])}`)).status).toBe(404);
    expect((await user.request('DELETE', `/api/v1/files/${version.fileId}`)).status).toBe(204);
    expect(await query(api.database, 'SELECT 1 FROM documents WHERE user_id = $1', [userId])).toEqual([]);
    expect(await addDocument('first text')).not.toBe(id);
  });

  it('that failed is not retried if another document is being replaced by the same bytes', async () => {
    const first = await addDocument('one');
    const second = await addDocument('two');
    for (const id of [first, second]) await untilIngested(api, id);
    provider.scriptFor('embeddings', { kind: 'error', status: 404 });
    await ingestions().replaceDocument(first, await versionOf('wanted'));
    await untilIngestion(api, first, ({ status }) => status === 'failed');
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 600 });
    await ingestions().replaceDocument(second, await versionOf('wanted', 'again.txt'));
    await expect(ingestions().retryIngestion(refOf(first))).rejects.toMatchObject({
      code: 'duplicate_document',
    });
  });

  it('by the bytes of another document of the collection is refused', async () => {
    const first = await addDocument('one');
    const second = await addDocument('two');
    await expect(ingestions().replaceDocument(second, await versionOf('one'))).rejects.toMatchObject({
      code: 'duplicate_document',
    });
    await untilIngested(api, first);
    expect(await untilIngested(api, second)).toMatchObject({ status: 'ready', version: 1 });
  });
});

describe('the cancellation of an ingestion', () => {
  it('stores nothing after it, and a retry goes on where it was, while one that waits for the provider has a heartbeat', async () => {
    provider.scriptFor('embeddings', { kind: 'answer' }, { kind: 'silence' }, { kind: 'silence' });
    const id = await addDocument(paragraphs(150));
    await until('the second request', () => batchSizes().length === 2);
    const waits = await addDocument('Hello world');
    await until('the request of the other document', () => batchSizes().length === 3);
    await query(
      api.database,
      "UPDATE ingestions SET heartbeat_at = now() - interval '1 hour' WHERE document_id = $1",
      [waits],
    );
    await ingestions().cancelIngestion(refOf(id));
    expect(await untilIngested(api, id)).toMatchObject({ status: 'cancelled', vectors: 96, lease_id: null });
    await ingestions().cancelIngestion(refOf(id));
    await ingestions().retryIngestion(refOf(id));
    const row = await untilIngested(api, id);
    expect(row).toMatchObject({ status: 'ready', vectors: row['chunks'] });
    await ingestions().cancelIngestion(refOf(id));
    await ingestions().retryIngestion(refOf(id));
    expect(await stateOf(id)).toMatchObject({ status: 'ready' });
    // Both calls are looked after at the same interval.
    await until('the heartbeat', async () => {
      const { heartbeatAt = new Date(0) } = (await stateOf(waits)) ?? {};
      return Date.now() - heartbeatAt.getTime() < 1_800_000;
    });
    expect(await stateOf(waits)).toMatchObject({ status: 'processing', progress: 0.3 });
    await ingestions().cancelIngestion(refOf(waits));
  });
});

describe('the deletion', () => {
  const remaining = async (): Promise<unknown> => {
    const files = await query(api.database, 'SELECT 1 FROM files WHERE user_id = $1', [userId]);
    const contents = await query(api.database, 'SELECT 1 FROM file_contents WHERE user_id = $1', [userId]);
    const rows = await query(
      api.database,
      `SELECT 1 FROM documents WHERE user_id = $1 UNION ALL SELECT 1 FROM ingestions WHERE user_id = $1
       UNION ALL SELECT 1 FROM chunk_terms WHERE user_id = $1 UNION ALL SELECT 1 FROM chunk_embeddings WHERE user_id = $1
       UNION ALL SELECT 1 FROM chunk_signs WHERE user_id = $1
       UNION ALL SELECT 1 FROM chunks WHERE NOT EXISTS (SELECT 1 FROM ingestions WHERE id = ingestion_id)`,
      [userId],
    );
    return { files: files.length, contents: contents.length, rows: rows.length };
  };
  const nothing = { files: 0, contents: 0, rows: 0 };

  it('of a document leaves nothing: before its ingestion, during it and after it', async () => {
    const queued = await addDocument('queued');
    await ingestions().deleteDocument(refOf(queued));
    expect(await remaining()).toEqual(nothing);

    provider.scriptFor('embeddings', { kind: 'answer', delayBeforeMs: 500 });
    const embedding = await addDocument('embedding');
    await until('the request', () => batchSizes().length >= 1);
    await ingestions().deleteDocument(refOf(embedding));
    expect(await remaining()).toEqual(nothing);
    // The usage of the call is recorded nevertheless.
    await until('the usage', async () => Number((await ledger())['calls']) >= 1);
    expect(await remaining()).toEqual(nothing);

    const ready = await addDocument(paragraphs(20));
    await untilIngested(api, ready);
    await ingestions().deleteDocument(refOf(ready));
    expect(await remaining()).toEqual(nothing);
    await expect(ingestions().deleteDocument(refOf(ready))).rejects.toMatchObject({ code: 'not_found' });
  });

  it('of a document keeps a file that it did not create, and one that another document has', async () => {
    const version = await versionOf('shared');
    const { id: owner } = await ingestions().addDocument(version);
    const other = await makeCollection(api, userId);
    const reused = { ...version, collectionId: other, ownsFile: false };
    const { id: reader } = await ingestions().addDocument(reused);
    await untilIngested(api, owner);
    await untilIngested(api, reader);
    await ingestions().deleteDocument(refOf(owner));
    expect(await untilIngested(api, reader)).toMatchObject({ status: 'ready', chunks: 1 });
    expect((await user.request('GET', `/api/v1/files/${version.fileId}`)).status).toBe(200);
    expect((await user.request('DELETE', `/api/v1/files/${version.fileId}`)).status).toBe(204);
    expect(await remaining()).toEqual(nothing);
  });

  it('of a collection keeps a file that is about to replace a document of another collection', async () => {
    const fileId = await uploadedId(api.url, user, { name: 'kept.txt', bytes: 'kept' });
    const version = { userId, collectionId, fileId, ownsFile: true, title: 'kept.txt', metadata: {} };
    const owner = await ingestions().addDocument(version);
    await untilIngested(api, owner.id);
    const other = await makeCollection(api, userId, { embeddingModel: MODEL });
    const first = await versionOf('first', 'first.txt');
    const { id } = await ingestions().addDocument({ ...first, collectionId: other });
    await untilIngested(api, id);
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 600 });
    await ingestions().replaceDocument(id, { ...version, collectionId: other, ownsFile: false });
    expect((await user.request('DELETE', `/api/v1/rag/collections/${collectionId}`)).status).toBe(204);
    expect((await user.request('GET', `/api/v1/files/${fileId}`)).status).toBe(200);
  });

  it('of a collection removes all of its rows and files with the next sweep', async () => {
    const ids = [await addDocument(paragraphs(5)), await addDocument('second'), await addDocument('third')];
    for (const id of ids) await untilIngested(api, id);
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 600 });
    await ingestions().replaceDocument(String(ids[1]), await versionOf('unfinished', 'unfinished.txt'));
    await untilIngestion(api, String(ids[1]), (row) => row['version'] === 2 && waiting(row));
    await query(api.database, 'UPDATE collections SET deleted_at = now() WHERE id = $1', [collectionId]);
    expect(await stateOf(String(ids[0]))).toBeUndefined();
    await serviceOf(api, RetrievalSweep).run();
    await until('the sweep', async () => {
      const rows = await query(api.database, 'SELECT 1 FROM collections WHERE id = $1', [collectionId]);
      return rows.length === 0;
    });
    expect(await remaining()).toEqual(nothing);
  });

  it('of a content by a process that is killed before it removes the bytes leaves them to the sweep', async () => {
    const storage = serviceOf(api, FileStorage);
    const fileId = await uploadedId(api.url, user, { bytes: 'left' });
    const [content] = await query(
      api.database,
      'DELETE FROM files WHERE id = $1 RETURNING content_id AS id',
      [fileId],
    );
    const key = { folder: userId, name: String(content?.['id']) };
    await query(api.database, 'DELETE FROM file_contents WHERE id = $1', [key.name]);
    (await storage.open(key)).destroy();
    await query(
      api.database,
      "UPDATE removed_contents SET removed_at = now() - interval '1 minute' WHERE id = $1",
      [key.name],
    );
    await serviceOf(api, RemovedContentSweep).run();
    await expect(storage.open(key)).rejects.toThrow();
    expect(await query(api.database, 'SELECT 1 FROM removed_contents WHERE id = $1', [key.name])).toEqual([]);
  });

  it('of an account leaves nothing', async () => {
    const id = await addDocument(paragraphs(5));
    await untilIngested(api, id);
    const before = await retrievalRows(api);
    expect((await user.request('DELETE', '/api/v1/users/me')).status).toBe(204);
    await until('the account to be gone', async () => {
      const rows = await query(api.database, 'SELECT 1 FROM users WHERE id = $1', [userId]);
      return rows.length === 0;
    });
    expect(await remaining()).toEqual(nothing);
    expect((await retrievalRows(api))['chunks'] ?? 0).toBeLessThan(Number(before['chunks']));
  });
});

describe('reindexing', () => {
  const indexes = (): Promise<Row[]> =>
    query(
      api.database,
      `SELECT id, status::text, embedding_model, dimensions FROM collection_indexes WHERE collection_id = $1
       ORDER BY collection_indexes.status DESC`,
      [collectionId],
    );
  const begin = (embeddingModel: string | null, chunkTokens = 100): Promise<void> =>
    serviceOf(api, ReindexService).beginReindex(
      { userId, collectionId },
      { embeddingModel, chunkTokens, chunkOverlap: 0 },
    );

  it('runs beside the old index, which searches use until all documents are in the new one', async () => {
    const first = await addDocument(paragraphs(4));
    await untilIngested(api, first);
    const [old] = await indexes();
    provider.embeddingDimensions = 4;
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 600 });
    await begin('openai/other');
    const building = await until('the attempt at the new index', async () => {
      const [row] = await ingestionRows(api, first);
      return row?.['index'] === 'building' && waiting(row) && row;
    });
    expect(await indexes()).toMatchObject([
      { status: 'active', id: old?.['id'] },
      { status: 'building', embedding_model: 'openai/other' },
    ]);
    expect(await stateOf(first)).toMatchObject({ status: 'ready', progress: 1 });
    // A document that is added meanwhile is in both.
    provider.embeddingDimensions = 8;
    const second = await addDocument('second');
    await until('both ingestions of the second document', async () => {
      const rows = await ingestionRows(api, second);
      return rows.length === 2 && rows.every(({ status }) => status === 'ready');
    });
    expect((await indexes()).map(({ status }) => status)).toEqual(['active', 'building']);
    await runNow(building);
    await until('the switch', async () => (await indexes()).length === 1);
    expect(await indexes()).toMatchObject([{ status: 'active', embedding_model: 'openai/other' }]);
    for (const id of [first, second])
      expect(await stateOf(id)).toMatchObject({ status: 'ready', progress: 1 });
    await serviceOf(api, RetrievalSweep).run();
    await until('the old rows to be gone', async () => (await ingestionRows(api, first)).length === 1);
    const [left] = await query(
      api.database,
      'SELECT count(*)::int AS n FROM chunk_terms WHERE index_id = $1',
      [old?.['id']],
    );
    expect(left?.['n']).toBe(0);
  });

  it('is won by the later request, and ends at once if the index has the settings already', async () => {
    const id = await addDocument('text');
    await untilIngested(api, id);
    provider.scriptFor('embeddings', { kind: 'error', status: 429, retryAfter: 600 });
    await begin('openai/other');
    await until('the request', () => batchSizes().length === 2);
    await begin(null, 200);
    await until('the switch', async () => (await indexes()).length === 1);
    expect(await indexes()).toMatchObject([{ status: 'active', embedding_model: null, dimensions: null }]);
    await begin(null, 200);
    expect(await indexes()).toHaveLength(1);
    expect(await stateOf(id)).toMatchObject({ status: 'ready' });
  });

  it('keeps the old index while a document cannot be embedded with the new model', async () => {
    const id = await addDocument('text');
    await untilIngested(api, id);
    provider.scriptFor('embeddings', { kind: 'error', status: 404 });
    await begin('openai/missing');
    await until('the failure', async () =>
      (await ingestionRows(api, id)).some(({ status }) => status === 'failed'),
    );
    await serviceOf(api, RetrievalSweep).run();
    expect((await indexes()).map(({ status }) => status)).toEqual(['active', 'building']);
    expect(await stateOf(id)).toMatchObject({ status: 'ready' });
    await begin(MODEL);
    expect(await indexes()).toMatchObject([{ status: 'active', embedding_model: MODEL }]);
  });

  it('of a document that is replaced meanwhile leaves nothing of the old file', async () => {
    const replaced = await addDocument('old text');
    const other = await addDocument('other');
    for (const id of [replaced, other]) await untilIngested(api, id);
    const late = { kind: 'error', status: 429, retryAfter: 600 } as const;
    provider.scriptFor('embeddings', late, late);
    await begin('openai/other');
    const built = await until('both to wait in the new index', async () => {
      const rows = [...(await ingestionRows(api, replaced)), ...(await ingestionRows(api, other))];
      const waits = rows.filter((row) => row['index'] === 'building' && waiting(row));
      return waits.length === 2 && waits[0];
    });
    // The old version is in both indexes.
    await runNow(built);
    await ingestions().replaceDocument(replaced, await versionOf('new text', 'new.txt'));
    await until('the new version in both indexes', async () => {
      const rows = await ingestionRows(api, replaced);
      return rows.length === 2 && rows.every(({ version, visible }) => version === 2 && visible === true);
    });
    const files = await query(
      api.database,
      `SELECT id FROM files WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM documents WHERE file_id = files.id)`,
      [userId],
    );
    expect(files).toEqual([]);
  });

  it('ends although the bytes of a failed replacement are another document now', async () => {
    const first = await addDocument('one');
    await untilIngested(api, first);
    provider.scriptFor('embeddings', { kind: 'error', status: 404 });
    await ingestions().replaceDocument(first, await versionOf('wanted'));
    await untilIngestion(api, first, ({ status }) => status === 'failed');
    const second = await addDocument('wanted', 'second.txt');
    await untilIngested(api, second);
    await begin('openai/other');
    await until('the switch', async () => (await indexes()).length === 1);
    expect(await stateOf(first)).toMatchObject({ title: 'a.txt', status: 'failed' });
    expect((await stateOf(first))?.error).not.toBeNull();
    expect(await stateOf(second)).toMatchObject({ title: 'second.txt', status: 'ready' });
  });

  it('goes on for other collections if one of them fails', async () => {
    const id = await addDocument('text');
    await untilIngested(api, id);
    const other = await makeCollection(api, userId);
    provider.scriptFor('embeddings', { kind: 'error', status: 404 });
    await begin('openai/missing');
    await until('the failure', async () =>
      (await ingestionRows(api, id)).some(({ status }) => status === 'failed'),
    );
    await query(
      api.database,
      `INSERT INTO collection_indexes (id, collection_id, user_id, status, chunk_tokens, chunk_overlap,
         chunker_version, tokenizer_version) VALUES (gen_random_uuid(), $1, $2, 'building', 200, 0, 1, 1)`,
      [other, userId],
    );
    const failing = jest
      .spyOn(serviceOf(api, ReindexService), 'switchIfComplete')
      .mockRejectedValue(new Error('The switch of this collection fails.'));
    await serviceOf(api, RetrievalSweep).run();
    const switched = failing.mock.calls.map(([{ collectionId: swept }]) => swept);
    failing.mockRestore();
    expect(switched).toEqual(expect.arrayContaining([collectionId, other]));
  });

  it('of a large collection is bounded like the collection itself, and not by both together', async () => {
    const id = await addDocument('text');
    await untilIngested(api, id);
    await query(api.database, 'UPDATE ingestions SET chunked_count = $1 WHERE document_id = $2', [
      MAX_CHUNKS,
      id,
    ]);
    await begin('openai/other');
    await until('the switch', async () => (await indexes()).length === 1);
    expect(await stateOf(id)).toMatchObject({ status: 'ready' });
  });

  it('of an empty collection ends at once', async () => {
    await begin('openai/other');
    expect(await indexes()).toMatchObject([{ status: 'active', embedding_model: 'openai/other' }]);
  });
});
