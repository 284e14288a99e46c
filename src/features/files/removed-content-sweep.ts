import { Injectable, Logger } from '@nestjs/common';
import type { ScheduledTask } from '../../infra/queue/index.js';
import { FileStorage, StorageUnavailableError } from '../../infra/storage/index.js';
import type { FileKey } from './file.repository.js';
import { RemovedContentRepository } from './removed-content.repository.js';

/** Number of contents per query. */
const BATCH = 500;

/** Age from which bytes are removed here, in seconds: the process that deleted the content does so within this time. */
export const MIN_REMOVED_AGE_SECONDS = 10;

/**
 * Removes the bytes of deleted contents whose process was killed before it did, or whose store was unavailable. Removing
 * bytes that are gone has no effect, so concurrent runs are harmless.
 */
@Injectable()
export class RemovedContentSweep implements ScheduledTask {
  readonly name = 'removed-contents';
  readonly firstAfterMs = 10_000;
  readonly everyMs = 30_000;
  private readonly logger = new Logger(RemovedContentSweep.name);

  constructor(
    private readonly contents: RemovedContentRepository,
    private readonly storage: FileStorage,
  ) {}

  /** @returns the number of contents */
  async run(signal?: AbortSignal): Promise<number> {
    let removed = 0;
    for (let isMore = true; isMore && signal?.aborted !== true;) {
      const keys = await this.contents.listRemovedContents(MIN_REMOVED_AGE_SECONDS, BATCH);
      const gone: FileKey[] = [];
      for (const key of keys) if (await this.isDeleted(key)) gone.push(key);
      if (gone.length > 0) await this.contents.forgetRemovedContents(gone);
      // Those that could not be deleted would be listed again at once.
      isMore = gone.length === BATCH;
      removed += gone.length;
    }
    return removed;
  }

  /** Deletes bytes; false if the store refuses this key, which must not keep the others. */
  private async isDeleted(key: FileKey): Promise<boolean> {
    try {
      await this.storage.delete(key);
      return true;
    } catch (error) {
      if (error instanceof StorageUnavailableError) throw error;
      this.logger.warn(
        { err: error, content: key.name },
        'could not remove the bytes of a deleted file; will retry',
      );
      return false;
    }
  }
}
