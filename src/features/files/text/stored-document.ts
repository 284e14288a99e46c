import { type FileStorage, MissingContentError } from '../../../infra/storage/index.js';
import type { TextRef } from './text.jobs.js';

/** The bytes of a document in the file storage. Opened when they are read, and remembers why that failed. */
export class StoredDocument {
  /** True once all bytes have been read. */
  isRead = false;
  private failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly storage: Pick<FileStorage, 'open'>,
    private readonly ref: TextRef,
  ) {}

  /** Reads the bytes; a reader that ends early closes them. */
  async *read(): AsyncGenerator<Uint8Array> {
    try {
      const bytes: AsyncIterable<Uint8Array> = await this.storage.open({
        folder: this.ref.userId,
        name: this.ref.contentId,
      });
      yield* bytes;
      this.isRead = true;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  /** The reason for which the bytes could not be read: they are gone, or their store is unavailable. */
  get readFailure(): 'missing' | 'unavailable' | undefined {
    if (this.failure === undefined) return undefined;
    return this.failure.error instanceof MissingContentError ? 'missing' : 'unavailable';
  }
}
