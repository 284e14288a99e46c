import type { ExtractionFailure } from './extracted-text.js';

/** The reason for which a document has no text. */
export class ExtractionError extends Error {
  override readonly name = 'ExtractionError';

  constructor(readonly failure: ExtractionFailure) {
    super(failure);
  }
}

/** Returns the error of a parser; `too_large` if the elements of a document exceed the stack: a limit, not damage. */
export function toParserFailure(error: unknown): unknown {
  return error instanceof RangeError ? new ExtractionError('too_large') : error;
}
