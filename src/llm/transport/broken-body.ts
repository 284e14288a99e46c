import { unreadableAnswer } from '../port/index.js';

/** Most bytes of a body, packed and unpacked: more than the largest list of vectors, and few enough to be held. */
export const MAX_BODY_BYTES = 256 * 1024 * 1024;

/** Says what ended the bytes of a body that had begun: the connection, or the bound, which another try would meet again. */
export function asBodyError(cause: unknown): Error {
  const tooLarge =
    cause instanceof Error && 'code' in cause && cause.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
  return tooLarge ? unreadableAnswer('it is larger than 256 MiB', cause) : new BrokenBodyError(cause);
}

/**
 * The bytes of an answer that had begun stopped coming. Thrown where they are read from the socket, so that whatever
 * else is thrown while an answer is read is known to be a fault of our own code.
 */
export class BrokenBodyError extends Error {
  override readonly name = 'BrokenBodyError';

  constructor(cause: unknown) {
    super('The connection to the provider was lost.', { cause });
  }
}

/** Throws what ended the bytes of a body. */
export function throwBodyError(cause: unknown): never {
  throw asBodyError(cause);
}

/**
 * Passes on the bytes of a body.
 * @throws BrokenBodyError, or ProviderError for a body that is too large, from the iteration
 */
export function withBrokenBody(bytes: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  // By hand: an async generator around each body costs every piece of every stream more than this.
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => bytes.next().catch(throwBodyError),
      return: () => bytes.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    }),
  };
}
