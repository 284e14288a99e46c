import { createHash } from 'node:crypto';
import { FileTooLargeError, InvalidRequestError } from '../../common/errors.js';
import { type DetectedType, MediaTypeDetector } from './media-type.js';

/** Bytes on their way to the storage: collects their properties while they pass. */
export class ReceivedBytes {
  private readonly sum = createHash('sha256');
  private readonly type = new MediaTypeDetector();
  private length = 0;

  /**
   * Yields the bytes as they arrive.
   * @throws FileTooLargeError as soon as there are more than `maxBytes`
   * @throws InvalidRequestError at the end if there were none
   */
  async *passThrough(bytes: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      if (this.length + piece.length > maxBytes) throw new FileTooLargeError(maxBytes);
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
  facts(
    declaredType: string,
  ): DetectedType & { readonly size: number; readonly hash: Uint8Array<ArrayBuffer> } {
    return {
      size: this.length,
      hash: new Uint8Array(this.sum.digest()),
      ...this.type.detect(declaredType),
    };
  }
}
