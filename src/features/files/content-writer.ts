import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { FileStorage } from '../../infra/storage/index.js';
import type { FileKey } from './file.repository.js';
import { ReceivedBytes } from './received-bytes.js';
import type { InsertedUpload } from './upload.repository.js';

/** Bytes to be stored. */
export interface NewContent {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Maximum number of bytes. */
  readonly maxBytes: number;
  /** Maximum number of bytes that the client has declared. */
  readonly expectedBytes?: number | undefined;
  /** Aborts when the bytes will not be complete. */
  readonly signal?: AbortSignal | undefined;
}

/** Writes the bytes of files to the storage, together with their rows. */
@Injectable()
export class ContentWriter {
  private readonly logger = new Logger(ContentWriter.name);

  constructor(private readonly storage: FileStorage) {}

  /** Stores bytes, then their rows. If those are not stored, or need other bytes, the bytes are removed again. */
  async store(
    userId: string,
    content: NewContent,
    insertRows: (received: ReceivedBytes, contentId: string) => Promise<InsertedUpload>,
  ): Promise<InsertedUpload> {
    const contentId = newId();
    const received = new ReceivedBytes();
    const { bytes, maxBytes, expectedBytes = maxBytes, signal } = content;
    await this.storage.put({ folder: userId, name: contentId }, received.passThrough(bytes, maxBytes), {
      signal,
      maxBytes: Math.min(maxBytes, expectedBytes),
    });
    let isNeeded = false;
    try {
      const inserted = await insertRows(received, contentId);
      isNeeded = inserted.file.contentId === contentId;
      return inserted;
    } catch (error) {
      // If the database became unavailable, the rows may exist anyway; the sweep checks once it is back.
      isNeeded = error instanceof AppError && error.code === 'service_unavailable';
      throw error;
    } finally {
      if (!isNeeded) await this.remove({ folder: userId, name: contentId });
    }
  }

  /** Deletes bytes that no row references. Never rejects: what is left, the sweep deletes. */
  async remove(key: FileKey): Promise<void> {
    await this.storage.delete(key).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'could not delete the bytes of a file; the sweep will delete them');
    });
  }
}
