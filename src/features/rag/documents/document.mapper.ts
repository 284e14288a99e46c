import type { IngestionWarning } from '../ingest/ingestion.js';
import type { RagDocument } from '../ingest/document-read.repository.js';
import type { DocumentBody, DocumentWarningBody, DuplicateDocumentBody } from './document.dto.js';
import type { AddedDocument, ReadDocument } from './document.service.js';

/** Converts a document to its API representation. Readers of a shared collection cannot open its file. */
export function toDocumentBody({ isOwned, ...document }: ReadDocument): DocumentBody {
  return {
    id: document.id,
    collection_id: document.collectionId,
    title: document.title,
    status: document.status,
    stage: document.stage,
    progress: document.progress,
    pages: document.pageCount,
    chunks: document.chunkCount,
    warnings: document.warnings.map(toWarningBody),
    error: document.error,
    metadata: toMetadata(document),
    file_id: isOwned ? document.fileId : null,
    created_at: document.createdAt.toISOString(),
    updated_at: document.updatedAt.toISOString(),
    heartbeat_at: document.heartbeatAt.toISOString(),
  };
}

/** Converts an added document, or the one that has the same bytes, to its API representation. */
export function toAddedDocumentBody({ document, isDuplicate }: AddedDocument): DuplicateDocumentBody {
  const body = toDocumentBody(document);
  return isDuplicate ? Object.assign(body, { duplicate_of: document.id }) : body;
}

function toWarningBody(warning: IngestionWarning): DocumentWarningBody {
  return 'chunks' in warning
    ? { code: warning.code, chunks: [...warning.chunks] }
    : { code: warning.code, pages: [...warning.pages] };
}

function toMetadata({ metadata }: RagDocument): object {
  return typeof metadata === 'object' && metadata !== null ? metadata : {};
}
