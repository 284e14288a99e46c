import { randomUUID } from 'node:crypto';
import type { Abstract, INestApplicationContext, Type } from '@nestjs/common';
import type { TestApi } from './api.js';
import { query, type Row, until } from './stored.js';

/** Returns a service of the application, for operations without a route. */
export function serviceOf<Service>(
  { application }: TestApi,
  type: Type<Service> | Abstract<Service>,
): Service {
  const app: unknown = Reflect.get(application, 'app');
  if (!isContext(app)) throw new Error('The application has no container.');
  return app.get(type, { strict: false });
}

function isContext(value: unknown): value is Pick<INestApplicationContext, 'get'> {
  return typeof value === 'object' && value !== null && 'get' in value;
}

/** Stores a collection with an empty index and returns its id. */
export async function makeCollection(
  { database }: Pick<TestApi, 'database'>,
  userId: string,
  settings: { readonly embeddingModel?: string | null; readonly chunkTokens?: number } = {},
): Promise<string> {
  const { embeddingModel = null, chunkTokens = 100 } = settings;
  const id = randomUUID();
  await query(
    database,
    `INSERT INTO collections (id, user_id, name, embedding_model, chunk_tokens, chunk_overlap)
     VALUES ($1, $2, 'c' || md5(random()::text), $3, $4, 0)`,
    [id, userId, embeddingModel, chunkTokens],
  );
  await query(
    database,
    `INSERT INTO collection_indexes (id, collection_id, user_id, status, embedding_model, chunk_tokens, chunk_overlap,
       chunker_version, tokenizer_version)
     VALUES (gen_random_uuid(), $1, $2, 'active', $3, $4, 0, 1, 1)`,
    [id, userId, embeddingModel, chunkTokens],
  );
  return id;
}

/** Returns the ingestions of a document with the numbers of their rows, the oldest version first. */
export function ingestionRows({ database }: Pick<TestApi, 'database'>, documentId: string): Promise<Row[]> {
  return query(
    database,
    `SELECT ingestions.id, ingestions.version, visible, ingestions.status::text, stage::text, attempts, lease_id,
       ingestions.file_id, chunk_count, chunked_count, embedded_count, term_count::int, page_count, warnings,
       error_code, error_message, collection_indexes.status::text AS index,
       extract(epoch FROM due_at - now())::float8 AS wait,
       (SELECT count(*)::int FROM chunks WHERE ingestion_id = ingestions.id) AS chunks,
       (SELECT count(*)::int FROM chunk_terms WHERE ingestion_id = ingestions.id) AS terms,
       (SELECT count(*)::int FROM chunk_embeddings WHERE ingestion_id = ingestions.id) AS vectors,
       (SELECT count(*)::int FROM chunk_signs WHERE ingestion_id = ingestions.id) AS signs
     FROM ingestions JOIN collection_indexes ON collection_indexes.id = ingestions.index_id
     WHERE document_id = $1 ORDER BY ingestions.version, collection_indexes.status`,
    [documentId],
  );
}

/** Waits until a condition holds for the newest ingestion of a document, and returns that. */
export function untilIngestion(
  api: Pick<TestApi, 'database'>,
  documentId: string,
  condition: (row: Row) => boolean,
  patienceMs = 60_000,
): Promise<Row> {
  return until(
    `the ingestion of ${documentId}`,
    async () => {
      const row = (await ingestionRows(api, documentId)).at(-1);
      return row !== undefined && condition(row) && row;
    },
    patienceMs,
  );
}

/** Waits until the ingestion of a document has ended. */
export function untilIngested(
  api: Pick<TestApi, 'database'>,
  documentId: string,
  patienceMs?: number,
): Promise<Row> {
  const ended = ['ready', 'failed', 'cancelled'];
  return untilIngestion(api, documentId, ({ status }) => ended.includes(String(status)), patienceMs);
}

/** Returns a text of paragraphs, each a chunk of a collection with 100 tokens a chunk. */
export function paragraphs(count: number, word = 'word'): string {
  return Array.from({ length: count }, (_, index) => `${word}${index} ${'lorem ipsum '.repeat(30)}`).join(
    '\n\n',
  );
}

/** Counts the rows of retrieval in a database by table; tables without any are left out. */
export async function retrievalRows({
  database,
}: Pick<TestApi, 'database'>): Promise<Record<string, number>> {
  const tables = [
    'collections',
    'collection_indexes',
    'documents',
    'ingestions',
    'chunks',
    'chunk_terms',
    'chunk_embeddings',
    'chunk_signs',
  ];
  const counts: Record<string, number> = {};
  for (const table of tables) {
    const [row] = await query(database, `SELECT count(*)::int AS n FROM ${table}`);
    if (Number(row?.['n']) > 0) counts[table] = Number(row?.['n']);
  }
  return counts;
}
