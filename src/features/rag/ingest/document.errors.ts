import { AppError } from '../../../common/errors.js';

/** Maximum number of documents of an account. */
export const MAX_DOCUMENTS = 10_000;

/** Maximum number of chunks of an account. */
export const MAX_CHUNKS = 500_000;

/** Rejects a document above a bound of its account. */
export class TooManyDocumentsError extends AppError {
  /** @param bound the bound that is reached */
  constructor(bound: 'documents' | 'chunks') {
    super('limit_reached', CHUNK_LIMIT_MESSAGES[bound], { retryable: false });
  }
}

/** Sentences for an account that has reached a bound. */
export const CHUNK_LIMIT_MESSAGES = {
  documents: `An account has at most ${MAX_DOCUMENTS} documents. Delete documents that you no longer need.`,
  chunks: `An account has at most ${MAX_CHUNKS} chunks of documents. Delete documents that you no longer need, or use larger chunks.`,
} as const;

/** Rejects the replacement of a document by the bytes of another one of its collection. */
export class DuplicateDocumentError extends AppError {
  /** @param documentId id of the other document */
  constructor(documentId: string) {
    super(
      'duplicate_document',
      `The document '${documentId}' of the collection has the same content. Delete it first, or keep it instead.`,
      { retryable: false },
    );
  }
}
