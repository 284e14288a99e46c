import { invalidResponseError } from '../port/index.js';

/**
 * Maximum size of a body, compressed and decompressed, in bytes: larger than the largest list of vectors, and
 * small enough to hold in memory.
 */
export const MAX_BODY_BYTES = 256 * 1024 * 1024;

/**
 * Returns the error for a provider's response body that ended early: a `BrokenBodyError` if the connection broke, or an
 * error that is not retried if the body exceeded the size limit, because a retry would exceed it again.
 */
export function toBodyError(cause: unknown): Error {
  const tooLarge =
    cause instanceof Error && 'code' in cause && cause.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
  return tooLarge ? invalidResponseError('it is larger than 256 MiB', cause) : new BrokenBodyError(cause);
}

/**
 * The connection broke after the answer had begun. Thrown where the bytes are read from the socket, so that any
 * other error while an answer is read is known to be a bug in our own code.
 */
export class BrokenBodyError extends Error {
  override readonly name = 'BrokenBodyError';

  constructor(cause: unknown) {
    super('The connection to the provider was lost.', { cause });
  }
}

/** Throws the error for a body that ended early. */
export function throwBodyError(cause: unknown): never {
  throw toBodyError(cause);
}

/**
 * Passes on the bytes of a body.
 * @throws BrokenBodyError, or ProviderError for a body that is too large, from the iteration
 */
export function withBodyErrors(bytes: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  // Implemented by hand: an async generator around each body would make every chunk of every stream more
  // expensive.
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => bytes.next().catch(throwBodyError),
      return: () => bytes.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    }),
  };
}
