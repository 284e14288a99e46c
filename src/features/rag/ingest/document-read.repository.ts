import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { parseWarnings } from '../../files/index.js';
import {
  type DocumentStatus,
  type IngestionFault,
  type IngestionStage,
  type IngestionWarning,
  progressOf,
} from './ingestion.js';

/** A document of a collection, with the state of its latest version. */
export interface RagDocument {
  readonly id: string;
  readonly collectionId: string;
  readonly fileId: string;
  readonly title: string;
  readonly metadata: unknown;
  readonly status: DocumentStatus;
  readonly stage: IngestionStage;
  /** 0 to 1. */
  readonly progress: number;
  /** Number of pages; null until its text is extracted. */
  readonly pageCount: number | null;
  /** Number of chunks stored so far. */
  readonly chunkCount: number;
  readonly warnings: readonly IngestionWarning[];
  /** Null unless it failed. */
  readonly error: IngestionFault | null;
  /** Time at which a process last worked on it. */
  readonly heartbeatAt: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A part of the list of a collection's documents, newest first. */
export interface DocumentSlice {
  readonly limit: number;
  /** Id of the document before the first one. */
  readonly after: string | undefined;
  /** Only documents in this state. */
  readonly status?: DocumentStatus | undefined;
}

/** A collection and the account that it belongs to, which is not that of a reader with whom it is shared. */
export interface CollectionOwner {
  readonly ownerId: string;
  readonly collectionId: string;
}

interface DocumentRow {
  readonly id: string;
  readonly collectionId: string;
  readonly fileId: string;
  readonly title: string;
  readonly metadata: unknown;
  readonly status: DocumentStatus;
  readonly stage: IngestionStage;
  readonly hasVectors: boolean;
  readonly pageCount: number | null;
  readonly totalChunks: number | null;
  readonly chunkedCount: number;
  readonly embeddedCount: number;
  readonly warnings: unknown;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly heartbeatAt: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * Documents with the ingestion of their latest version in the active index. The sweep deletes those of expired files a
 * while after the file has gone for its owner.
 */
const SELECT_DOCUMENTS = Prisma.sql`
  SELECT documents.id, documents.collection_id AS "collectionId", documents.file_id AS "fileId", documents.title,
    documents.metadata, latest.status::text, latest.stage::text,
    active.embedding_model IS NOT NULL AS "hasVectors", latest.page_count AS "pageCount",
    latest.chunk_count AS "totalChunks", latest.chunked_count AS "chunkedCount",
    latest.embedded_count AS "embeddedCount", latest.warnings, latest.error_code AS "errorCode",
    latest.error_message AS "errorMessage", latest.heartbeat_at AS "heartbeatAt",
    documents.created_at AS "createdAt", documents.updated_at AS "updatedAt"
  FROM documents
  JOIN files ON files.id = documents.file_id AND (files.expires_at IS NULL OR files.expires_at > now())
  JOIN collections ON collections.id = documents.collection_id AND collections.deleted_at IS NULL
  JOIN collection_indexes AS active ON active.collection_id = collections.id AND active.status = 'active'
  JOIN LATERAL (
    SELECT * FROM ingestions
    WHERE ingestions.document_id = documents.id AND ingestions.index_id = active.id
    ORDER BY ingestions.version DESC, ingestions.created_at DESC LIMIT 1) AS latest ON TRUE`;

/** Reads documents. Every query filters by the owner of the collection. */
@Injectable()
export class DocumentReadRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns a document; undefined if the collection has none with this id. */
  async findDocument(
    { ownerId, collectionId }: CollectionOwner,
    id: string,
  ): Promise<RagDocument | undefined> {
    const [row] = await this.prisma.run(
      (client) => client.$queryRaw<DocumentRow[]>`
        ${SELECT_DOCUMENTS}
        WHERE documents.id = ${id}::uuid AND documents.collection_id = ${collectionId}::uuid
          AND documents.user_id = ${ownerId}::uuid`,
    );
    return row && toRagDocument(row);
  }

  /** Lists the documents of a collection, newest first. */
  async listDocuments(
    { ownerId, collectionId }: CollectionOwner,
    { limit, after, status }: DocumentSlice,
  ): Promise<RagDocument[]> {
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<DocumentRow[]>`
        ${SELECT_DOCUMENTS}
        WHERE documents.collection_id = ${collectionId}::uuid AND documents.user_id = ${ownerId}::uuid
          ${after === undefined ? Prisma.empty : Prisma.sql`AND documents.id < ${after}::uuid`}
          ${status === undefined ? Prisma.empty : Prisma.sql`AND latest.status = ${status}::document_status`}
        ORDER BY documents.id DESC LIMIT ${limit}`,
    );
    return rows.map(toRagDocument);
  }
}

function toRagDocument(row: DocumentRow): RagDocument {
  const { id, collectionId, fileId, title, metadata, status, stage, pageCount, chunkedCount } = row;
  const { errorCode, errorMessage, heartbeatAt, createdAt, updatedAt } = row;
  return {
    id,
    collectionId,
    fileId,
    title,
    metadata,
    status,
    stage,
    progress: progressOf({ ...row, chunkCount: row.totalChunks }),
    pageCount,
    chunkCount: chunkedCount,
    warnings: parseIngestionWarnings(row.warnings),
    error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' },
    heartbeatAt,
    createdAt,
    updatedAt,
  };
}

/** Reads the warnings of a row: those of the text, and at most one about truncated chunks. */
function parseIngestionWarnings(stored: unknown): IngestionWarning[] {
  const chunks = Array.isArray(stored)
    ? stored.flatMap((entry: unknown) => {
        if (typeof entry !== 'object' || entry === null || !('chunks' in entry)) return [];
        return Array.isArray(entry.chunks)
          ? entry.chunks.filter((chunk: unknown) => typeof chunk === 'number')
          : [];
      })
    : [];
  const pages = parseWarnings(stored);
  return chunks.length === 0 ? pages : [...pages, { code: 'embedding_truncated', chunks }];
}
