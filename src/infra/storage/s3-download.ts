import { Readable } from 'node:stream';
import { toStorageError } from './storage-errors.js';

const OPERATION = 'GetObject';

/**
 * Returns the body of a response as a stream that fails if the store sends nothing for a time. The time does not run
 * while nobody reads, so a slow reader may take as long as it likes. Destroying the stream ends the request.
 * @param silenceMs maximum time that the store may take for the next bytes
 */
export function toDownload(body: Readable, silenceMs: number): Readable {
  const download = Readable.from(read(body, silenceMs), { objectMode: false, highWaterMark: 65_536 });
  // Not left to the generator: its `return` waits for the bytes that it is waiting for.
  download.once('close', () => body.destroy());
  return download;
}

async function* read(body: Readable, silenceMs: number): AsyncGenerator<Uint8Array> {
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    timer = setTimeout(() => {
      body.destroy(Object.assign(new Error('The store stopped sending.'), { code: 'ETIMEDOUT' }));
    }, silenceMs);
  };
  try {
    wait();
    for await (const piece of body) {
      clearTimeout(timer);
      if (!(piece instanceof Uint8Array)) throw new TypeError('The body of an object has no bytes.');
      yield piece;
      wait();
    }
  } catch (error) {
    throw toStorageError(error, OPERATION);
  } finally {
    clearTimeout(timer);
  }
}
