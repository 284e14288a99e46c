import { createHash } from 'node:crypto';
import { InvalidRequestError } from '../../common/errors.js';
import { MediaTypeDetector } from './media-type.js';

/** Bytes on their way to the storage: collects their properties while they pass. */
export class ReceivedBytes {
  private readonly sum = createHash('sha256');
  private readonly type = new MediaTypeDetector();
  private length = 0;

  /**
   * Yields the bytes as they arrive.
   * @throws InvalidRequestError at the end if there were none
   */
  async *passThrough(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      this.sum.update(piece);
      this.type.add(piece);
      this.length += piece.length;
      yield piece;
    }
    if (this.length > 0) return;
    const message = 'file is empty; send a file of at least 1 byte';
    throw new InvalidRequestError(`${message}.`, [{ field: 'file', message }]);
  }

  /** Returns the properties of the bytes; to be called once, after all have passed. */
  facts(declaredType: string): {
    readonly size: number;
    readonly hash: Uint8Array<ArrayBuffer>;
    readonly mediaType: string;
  } {
    return {
      size: this.length,
      hash: new Uint8Array(this.sum.digest()),
      mediaType: this.type.detect(declaredType),
    };
  }
}
