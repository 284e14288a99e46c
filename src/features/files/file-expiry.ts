import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import type { ScheduledTask } from '../../infra/queue/index.js';
import { FileStorage } from '../../infra/storage/index.js';
import { type DeletedFiles, FileExpiryRepository } from './file-expiry.repository.js';
import { UploadRepository } from './upload.repository.js';

/** Maximum number of files deleted per transaction. */
const BATCH = 200;

/**
 * Deletes expired files with their bytes, and expired idempotency keys of uploads. Both no longer exist for clients from
 * the moment at which they expire. Concurrent runs are harmless.
 */
@Injectable()
export class FileExpiry implements ScheduledTask {
  readonly name = 'file-expiry';
  readonly firstAfterMs = 60_000;
  readonly everyMs = 300_000;
  private readonly logger = new Logger(FileExpiry.name);

  constructor(
    private readonly expiry: FileExpiryRepository,
    private readonly uploads: UploadRepository,
    private readonly storage: FileStorage,
  ) {}

  /** @returns the number of deleted files */
  async run(signal?: AbortSignal): Promise<number> {
    let deleted = 0;
    let limit = BATCH;
    for (let isMore = true; isMore && signal?.aborted !== true;) {
      const batch = await this.deleteBatch(limit);
      if (batch === 'too many') {
        limit = Math.ceil(limit / 8);
        continue;
      }
      // After the commit. If the process is killed here, the sweep of bytes without a row deletes them.
      for (const key of batch.unreferenced) await this.storage.delete(key);
      isMore = batch.count === limit;
      deleted += batch.count;
    }
    if (deleted > 0) this.logger.log(`deleted ${deleted} expired files`);
    await this.uploads.deleteExpiredKeys(signal);
    return deleted;
  }

  /**
   * Deletes some files with the documents that have their text, which may be large: their chunks may exceed the timeout
   * of the statement.
   */
  private async deleteBatch(limit: number): Promise<DeletedFiles | 'too many'> {
    try {
      return await this.expiry.deleteExpiredFiles(limit);
    } catch (error) {
      // If the database is unavailable, even the smallest batch fails.
      if (limit > 1 && error instanceof AppError && error.code === 'service_unavailable') return 'too many';
      throw error;
    }
  }
}
