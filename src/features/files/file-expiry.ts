import { Injectable, Logger } from '@nestjs/common';
import type { ScheduledTask } from '../../infra/queue/index.js';
import { FileStorage } from '../../infra/storage/index.js';
import { FileExpiryRepository } from './file-expiry.repository.js';
import { UploadRepository } from './upload.repository.js';

/** Number of files deleted per transaction. */
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
    for (let count = BATCH; count === BATCH && signal?.aborted !== true;) {
      const batch = await this.expiry.deleteExpiredFiles(BATCH);
      // After the commit. If the process is killed here, the sweep of bytes without a row deletes them.
      for (const key of batch.unreferenced) await this.storage.delete(key);
      count = batch.count;
      deleted += count;
    }
    if (deleted > 0) this.logger.log(`deleted ${deleted} expired files`);
    await this.uploads.deleteExpiredKeys(signal);
    return deleted;
  }
}
