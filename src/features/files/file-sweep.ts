import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { isId } from '../../common/ids.js';
import { PeriodicTask } from '../../common/periodic-task.js';
import { FileStorage } from '../../infra/storage/index.js';
import { type FileKey, FileRepository } from './file.repository.js';

/**
 * Minimum age of stored bytes without a row before they are deleted, in milliseconds: a day. No upload may take
 * nearly that long.
 */
export const KEPT_MS = 86_400_000;

/** Delay of the first sweep, so that it does not slow down startup, in milliseconds. */
const FIRST_AFTER_MS = 90_000;

/** Delay between sweeps, in milliseconds. */
const EVERY_MS = 21_600_000;

/** Number of files per query. */
const BATCH = 500;

/** Deletes stored bytes without a row: those of uploads whose process was killed. Concurrent runs are harmless. */
@Injectable()
export class FileSweep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(FileSweep.name);
  private readonly task: PeriodicTask;

  constructor(
    private readonly files: FileRepository,
    private readonly storage: FileStorage,
    private readonly clock: Clock,
  ) {
    this.task = new PeriodicTask({
      firstAfterMs: FIRST_AFTER_MS,
      everyMs: EVERY_MS,
      run: (signal) => this.deleteOrphans(signal),
      onError: (error) => {
        this.logger.warn({ err: error }, 'could not delete all files of interrupted uploads; will retry');
      },
    });
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.task.stop();
  }

  /**
   * Deletes stored bytes without a row, in all folders that can be read.
   * @returns the number of deleted files
   * @throws the error of listing the storage
   */
  async deleteOrphans(signal?: AbortSignal): Promise<number> {
    let deleted = 0;
    let batch: FileKey[] = [];
    const deleteBatch = async (): Promise<void> => {
      const orphans = await this.files.orphansAmong(batch);
      for (const key of orphans) await this.storage.delete(key);
      deleted += orphans.length;
      batch = [];
    };
    try {
      for await (const key of this.storage.keysBefore(this.clock.now() - KEPT_MS)) {
        if (signal?.aborted) return deleted;
        if (isId(key.folder) && isId(key.name)) batch.push(key);
        if (batch.length === BATCH) await deleteBatch();
      }
    } finally {
      // Even if a folder could not be read.
      if (batch.length > 0 && signal?.aborted !== true) await deleteBatch();
      if (deleted > 0) this.logger.log(`deleted ${deleted} files of interrupted uploads`);
    }
    return deleted;
  }
}
