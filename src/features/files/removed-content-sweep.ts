import { Injectable } from '@nestjs/common';
import type { ScheduledTask } from '../../infra/queue/index.js';
import { FileStorage } from '../../infra/storage/index.js';
import { RemovedContentRepository } from './removed-content.repository.js';

/** Number of contents per query. */
const BATCH = 500;

/** Age from which bytes are removed here, in seconds: the process that deleted the content does so within this time. */
const MIN_AGE_SECONDS = 10;

/**
 * Removes the bytes of deleted contents whose process was killed before it did, or whose store was unavailable. Removing
 * bytes that are gone has no effect, so concurrent runs are harmless.
 */
@Injectable()
export class RemovedContentSweep implements ScheduledTask {
  readonly name = 'removed-contents';
  readonly firstAfterMs = 10_000;
  readonly everyMs = 30_000;

  constructor(
    private readonly contents: RemovedContentRepository,
    private readonly storage: FileStorage,
  ) {}

  /** @returns the number of contents */
  async run(signal?: AbortSignal): Promise<number> {
    let removed = 0;
    for (let count = BATCH; count === BATCH && signal?.aborted !== true;) {
      const keys = await this.contents.listRemovedContents(MIN_AGE_SECONDS, BATCH);
      for (const key of keys) await this.storage.delete(key);
      if (keys.length > 0) await this.contents.forgetRemovedContents(keys);
      count = keys.length;
      removed += count;
    }
    return removed;
  }
}
