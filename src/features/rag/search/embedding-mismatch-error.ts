import { AppError } from '../../../common/errors.js';

/** Rejects a search whose vector cannot be compared with those of the index. */
export class EmbeddingMismatchError extends AppError {
  /**
   * @param given dimensions of the vector of the query
   * @param stored dimensions of the vectors of the index
   */
  constructor(model: string, given: number, stored: number) {
    super(
      'reindex_required',
      `The embedding model ${model} returned a vector of ${given} dimensions, and those of the collection have ${stored}. The model has changed: reindex the collection, or search it with mode "lexical".`,
      { retryable: false },
    );
  }
}
