/**
 * The bytes of an answer that had begun stopped coming. Thrown where they are read from the socket, so that whatever
 * else is thrown while an answer is read is known to be a fault of our own code.
 */
export class BrokenBodyError extends Error {
  override readonly name = 'BrokenBodyError';

  constructor(cause: unknown) {
    super('The connection to the provider broke off.', { cause });
  }
}

/** Throws what ended the bytes of a body. */
export function throwBrokenBody(cause: unknown): never {
  throw new BrokenBodyError(cause);
}

/**
 * Passes on the bytes of a body.
 * @throws BrokenBodyError, from the iteration
 */
export function withBrokenBody(bytes: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  // By hand: an async generator around each body costs every piece of every stream more than this.
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => bytes.next().catch(throwBrokenBody),
      return: () => bytes.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    }),
  };
}
