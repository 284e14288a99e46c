import type { Dispatcher } from 'undici';

/** A body that the client of the official SDK has not touched. */
export type RawBody = Dispatcher.ResponseData['body'];

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

/**
 * The bytes of a body as they come. Leaving the iteration leaves the body to `finishBody` or `abandonBody`.
 * @throws BrokenBodyError, from the iteration
 */
export function bytesOf(body: RawBody): AsyncIterable<Uint8Array> {
  const pieces: AsyncIterator<Uint8Array> = body.iterator({ destroyOnReturn: false });
  // By hand: an async generator around each body costs every piece of every stream more than this.
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => pieces.next().catch(asBrokenBody),
      return: () => pieces.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    }),
  };
}

/**
 * Reads all of a body as text.
 * @throws BrokenBodyError
 */
export function textOfBody(body: RawBody): Promise<string> {
  return body.text().catch(asBrokenBody);
}

function asBrokenBody(cause: unknown): never {
  throw new BrokenBodyError(cause);
}
