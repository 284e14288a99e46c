/* A temporary database with collections, and the search over it, without HTTP and without an embedding provider. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';

const root = new URL('../../', import.meta.url);
const load = (path) => import(new URL(`dist/${path}`, root).href);
const { newId } = await load('common/ids.js');
const { applyMigrations } = await load('infra/database/migrations.js');
const { PrismaService } = await load('infra/database/prisma.service.js');
const rag = async (path) => load(`features/rag/${path}`);
const { ChunkRepository } = await rag('chunks/chunk.repository.js');
const { LexicalSearchRepository } = await rag('chunks/lexical-search.repository.js');
const { LexicalSearchService } = await rag('chunks/lexical-search.service.js');
const { PassageRepository } = await rag('chunks/passage.repository.js');
const { SearchScopeRepository } = await rag('chunks/search-scope.repository.js');
const { VectorIndexRepository } = await rag('chunks/vector-index.repository.js');
const { VectorSearchRepository } = await rag('chunks/vector-search.repository.js');
const { VectorSearchService } = await rag('chunks/vector-search.service.js');
const { PassageSearchService } = await rag('search/passage-search.service.js');
const { Metrics } = await load('infra/metrics/index.js');
const { RETRIEVAL_SETTINGS } = await load('config/retrieval-settings.js');
const { Logger } = await import('@nestjs/common');

// Each search logs what its ways did, which takes time.
Logger.overrideLogger(['warn', 'error']);
const { VectorLeg } = await rag('search/vector-leg.js');

/** @typedef {{ text: string, vector?: readonly number[] }} BenchChunk */

/** A temporary database with one account. */
export class RetrievalStore {
  userId = newId();

  /** @param {string | undefined} serverUrl a PostgreSQL that lets its role create databases */
  static async create(serverUrl) {
    if (!serverUrl) throw new Error('Set DATABASE_URL to a PostgreSQL that lets you make databases.');
    const name = `parley_bench_${randomBytes(6).toString('hex')}`;
    await run(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
    const store = await RetrievalStore.#migrated(serverUrl, name);
    await store.query('INSERT INTO users (id, email, password_hash) VALUES ($1, $2, $3)', [
      store.userId,
      'bench@example.com',
      'none',
    ]);
    return store;
  }

  /**
   * Opens a database that was kept.
   * @param {string} serverUrl
   * @param {string} name
   */
  static async open(serverUrl, name) {
    const store = await RetrievalStore.#migrated(serverUrl, name);
    const { rows } = await store.query('SELECT id FROM users');
    store.userId = rows[0].id;
    return store;
  }

  /** Returns the store of a database, which gets all migrations. */
  static async #migrated(serverUrl, name) {
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    const store = new RetrievalStore(serverUrl, name, url.href);
    await applyMigrations({
      connectionString: url.href,
      directory: join(root.pathname, 'prisma/migrations'),
      report: () => undefined,
    });
    return store;
  }

  constructor(serverUrl, name, url) {
    this.serverUrl = serverUrl;
    this.name = name;
    this.url = url;
    this.prisma = new PrismaService({ connectionString: url, poolMax: 4 });
    this.chunks = new ChunkRepository(this.prisma);
    this.indexes = new VectorIndexRepository(this.prisma);
  }

  query(sql, values = []) {
    return run(this.url, sql, values);
  }

  /** @param {boolean} keep true if the database stays */
  async close(keep = false) {
    await this.prisma.onApplicationShutdown();
    if (keep) return;
    await run(this.serverUrl, `DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
  }

  /** Creates a collection with an empty index. */
  async createCollection(name, dimensions = null) {
    const [collectionId, indexId] = [newId(), newId()];
    const model = dimensions === null ? null : 'bench/embedder';
    await this.query(
      `INSERT INTO collections (id, user_id, name, embedding_model, chunk_tokens, chunk_overlap)
       VALUES ($1, $2, $3, $4, 800, 400)`,
      [collectionId, this.userId, name, model],
    );
    await this.query(
      `INSERT INTO collection_indexes (id, collection_id, user_id, status, embedding_model, dimensions, chunk_tokens,
         chunk_overlap, chunker_version, tokenizer_version) VALUES ($1, $2, $3, 'active', $4, $5, 800, 400, 1, 1)`,
      [indexId, collectionId, this.userId, model, dimensions],
    );
    return { collectionId, indexId, userId: this.userId };
  }

  /**
   * Stores a visible document, as an ingestion does: chunks with their terms and vectors, a batch a transaction.
   * @param {readonly BenchChunk[]} chunks
   */
  async addDocument({ collectionId, indexId, userId }, title, chunks, metadata = {}) {
    const [fileId, documentId, id] = [newId(), newId(), newId()];
    const hash = randomBytes(32);
    await this.prisma.query(
      `INSERT INTO files (id, user_id, name, media_type, size, hash, text_format)
       VALUES ($1, $2, $3, 'text/plain', 1, $4, 'text')`,
      [fileId, userId, title, hash],
    );
    await this.prisma.query(
      `INSERT INTO documents (id, collection_id, user_id, file_id, owns_file, hash, title, metadata)
       VALUES ($1, $2, $3, $4, true, $5, $6, $7)`,
      [documentId, collectionId, userId, fileId, hash, title, metadata],
    );
    await this.prisma.query(
      `INSERT INTO ingestions (id, document_id, index_id, user_id, file_id, owns_file, hash, title, metadata, version)
       VALUES ($1, $2, $3, $4, $5, true, $6, $7, $8, 1)`,
      [id, documentId, indexId, userId, fileId, hash, title, metadata],
    );
    const owner = { id, indexId, userId };
    const drafts = chunks.map(({ text }, ordinal) => ({
      ordinal,
      page: 1,
      start: 0,
      end: text.length,
      text,
      prefix: '',
      tokens: Math.ceil(text.length / 4),
    }));
    const vectors = chunks.flatMap(({ vector }) => (vector === undefined ? [] : [vector]));
    const { terms } = await this.prisma.transaction((transaction) =>
      this.chunks.insertChunks(transaction, owner, drafts),
    );
    if (vectors.length > 0)
      await this.prisma.transaction((transaction) =>
        this.chunks.insertEmbeddings(transaction, owner, 0, vectors),
      );
    await this.prisma.query(
      `UPDATE ingestions SET visible = true, status = 'ready', due_at = NULL, chunk_count = $2, chunked_count = $2,
         embedded_count = $3, term_count = $4 WHERE id = $1`,
      [id, chunks.length, vectors.length, terms],
    );
    return documentId;
  }

  /**
   * Returns the search, with an embedder that answers at once.
   * @param {(query: string) => readonly number[]} embed
   */
  search(embed, config = { vectorWeight: RETRIEVAL_SETTINGS.RAG_VECTOR_WEIGHT.fallback }) {
    const vectors = new VectorSearchService(new VectorSearchRepository(this.prisma), this.indexes);
    const embedder = { embedQuery: async (_caller, { query }) => embed(query) };
    const service = new PassageSearchService(
      new SearchScopeRepository(this.prisma),
      new LexicalSearchService(new LexicalSearchRepository(this.prisma)),
      new VectorLeg(embedder, vectors, config),
      new PassageRepository(this.prisma),
      new Metrics('bench'),
    );
    const caller = { userId: this.userId, apiKeyId: null };
    const signal = new AbortController().signal;
    return (request) =>
      service.search(
        caller,
        { mode: 'hybrid', topK: 10, explain: true, includeIrrelevant: true, ...request },
        signal,
      );
  }
}

async function run(url, sql, values = []) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql, values);
  } finally {
    await client.end();
  }
}
