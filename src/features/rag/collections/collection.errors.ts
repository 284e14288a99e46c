import { AppError } from '../../../common/errors.js';
import { MAX_COLLECTIONS } from './collection-settings.js';

/** Rejects a name that another collection of the account has. */
export class CollectionNameTakenError extends AppError {
  constructor(name: string) {
    super('name_taken', `You already have a collection named '${name}'. Choose another name.`, {
      param: 'name',
      retryable: false,
    });
  }
}

/** Rejects a collection above the bound of an account. */
export class TooManyCollectionsError extends AppError {
  constructor() {
    super(
      'limit_reached',
      `An account has at most ${MAX_COLLECTIONS} collections. Delete one that you no longer need.`,
      { retryable: false },
    );
  }
}

/** Rejects new index settings for documents that are already indexed. */
export class ReindexRequiredError extends AppError {
  /** @param id id of the collection */
  constructor(id: string, param: string) {
    super(
      'reindex_required',
      `The collection has documents, and their index has another embedding model or chunking. Send the new settings to POST /api/v1/rag/collections/${id}/reindex, which builds a new index beside the present one.`,
      { param, retryable: false },
    );
  }
}

/** Rejects a change of a collection that belongs to another account. */
export class ReadOnlyCollectionError extends AppError {
  constructor() {
    super(
      'forbidden',
      'This collection is shared with you for reading. Only the account that it belongs to can change it.',
    );
  }
}
