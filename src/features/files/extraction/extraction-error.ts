import type { ExtractionFailure } from './extracted-text.js';

/** The reason for which a document has no text. */
export class ExtractionError extends Error {
  override readonly name = 'ExtractionError';

  constructor(readonly failure: ExtractionFailure) {
    super(failure);
  }
}
