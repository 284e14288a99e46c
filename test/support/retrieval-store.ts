import { randomBytes } from 'node:crypto';
import { newId } from '../../src/common/ids.js';
import { ChunkRepository } from '../../src/features/rag/chunks/chunk.repository.js';
import { PrismaService } from '../../src/infra/database/index.js';
import type { TestDatabase } from './database.js';

/** A collection with its active index. */
export interface StoredIndex {
  readonly collectionId: string;
  readonly indexId: string;
  readonly userId: string;
}

/** A document with its ingestion. */
export interface StoredIngestion {
  readonly documentId: string;
  readonly ingestionId: string;
}

/** A document to be stored. */
export interface NewStoredDocument {
  /** Texts of its chunks. */
  readonly texts: readonly string[];
  readonly vectors?: readonly (readonly number[])[];
  readonly metadata?: object;
  readonly title?: string;
  /** Text that is indexed before each chunk. */
  readonly prefix?: string;
  /** Format of the file, `text` by default. */
  readonly format?: string;
  readonly isVisible?: boolean;
  /** Last byte of the id of its ingestion, which determines the chunks in the sample of terms; random by default. */
  readonly lastByte?: number;
}

/** Writes collections and documents as the ingestion does, without files, queues and models. */
export class RetrievalStore {
  readonly prisma: PrismaService;
  private readonly chunks: ChunkRepository;

  constructor(database: TestDatabase) {
    this.prisma = new PrismaService({ connectionString: database.url, poolMax: 4 });
    this.chunks = new ChunkRepository(this.prisma);
  }

  async close(): Promise<void> {
    await this.prisma.onApplicationShutdown();
  }

  /** Creates a collection, with vectors if it gets dimensions. */
  async addCollection(
    userId: string,
    { dimensions = null, model = 'test/embedder' }: { dimensions?: number | null; model?: string } = {},
  ): Promise<StoredIndex> {
    const collectionId = newId();
    await this.run(
      `INSERT INTO collections (id, user_id, name, embedding_model, chunk_tokens, chunk_overlap)
      VALUES ($1::uuid, $2, $1::uuid::text, $3, 800, 400)`,
      [collectionId, userId, dimensions === null ? null : model],
    );
    return {
      collectionId,
      userId,
      indexId: await this.addIndex(collectionId, 'active', { dimensions, model }),
    };
  }

  /** Creates an index of a collection. */
  async addIndex(
    collectionId: string,
    status: 'active' | 'building',
    { dimensions, model }: { dimensions: number | null; model: string },
  ): Promise<string> {
    const indexId = newId();
    await this.run(
      `INSERT INTO collection_indexes (id, collection_id, user_id, status, embedding_model, dimensions, chunk_tokens,
        chunk_overlap, chunker_version, tokenizer_version)
      SELECT $1, id, user_id, $3::collection_index_status, $4, $5, 800, 400, 1, 1 FROM collections WHERE id = $2`,
      [indexId, collectionId, status, dimensions === null ? null : model, dimensions],
    );
    return indexId;
  }

  /** Stores a document that searches see. */
  async addDocument(index: StoredIndex, document: NewStoredDocument): Promise<StoredIngestion> {
    const { indexId, userId } = index;
    const [fileId, documentId] = [newId(), newId()];
    const ingestionId = withLastByte(newId(), document.lastByte);
    const { texts, vectors = [], metadata = {}, title = 'A title', prefix = '', format = 'text' } = document;
    const hash = randomBytes(32);
    await this.run(
      `INSERT INTO files (id, user_id, name, media_type, size, hash, text_format)
      VALUES ($1, $2, 'file', 'text/plain', 1, $3, $4)`,
      [fileId, userId, hash, format],
    );
    await this.run(
      `INSERT INTO documents (id, collection_id, user_id, file_id, owns_file, hash, title, metadata)
      VALUES ($1, $2, $3, $4, true, $5, $6, $7)`,
      [documentId, index.collectionId, userId, fileId, hash, title, metadata],
    );
    await this.run(
      `INSERT INTO ingestions (id, document_id, index_id, user_id, file_id, owns_file, hash, title, metadata, version)
      VALUES ($1, $2, $3, $4, $5, true, $6, $7, $8, 1)`,
      [ingestionId, documentId, indexId, userId, fileId, hash, title, metadata],
    );
    const owner = { id: ingestionId, indexId, userId };
    const drafts = texts.map((text, ordinal) => ({
      ordinal,
      page: ordinal + 1,
      start: 10,
      end: 10 + text.length,
      text,
      prefix,
      tokens: 1,
    }));
    const terms = await this.prisma.transaction(async (transaction) => {
      const stored = await this.chunks.insertChunks(transaction, owner, drafts);
      if (vectors.length > 0) await this.chunks.insertEmbeddings(transaction, owner, 0, vectors);
      return stored.terms;
    }, 60_000);
    await this.run(
      `UPDATE ingestions SET visible = $2, status = 'ready', due_at = NULL, chunk_count = $3, chunked_count = $3,
        embedded_count = $4, term_count = $5 WHERE id = $1`,
      [ingestionId, document.isVisible ?? true, texts.length, vectors.length, terms],
    );
    return { documentId, ingestionId };
  }

  /** Runs a statement. */
  run(sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    return this.prisma.query(sql, values);
  }
}

function withLastByte(id: string, byte: number | undefined): string {
  return byte === undefined ? id : id.slice(0, -2) + byte.toString(16).padStart(2, '0');
}
