import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { isId } from '../../common/ids.js';
import type { ScheduledTask } from '../../infra/queue/index.js';
import { FileStorage } from '../../infra/storage/index.js';
import { ContentSweepRepository } from './content-sweep.repository.js';
import { type FileKey, FileRepository } from './file.repository.js';

/**
 * Minimum age of stored bytes without a row before they are deleted, in milliseconds: a day. No upload may take
 * nearly that long.
 */
export const ORPHAN_AGE_MS = 86_400_000;

/** Number of files per query. */
const BATCH = 500;

/**
 * Deletes stored bytes without a row, and parts of uploads that never became an object: those of uploads whose
 * process was killed. Concurrent runs are harmless.
 */
@Injectable()
export class FileSweep implements ScheduledTask {
  readonly name = 'file-sweep';
  readonly firstAfterMs = 90_000;
  readonly everyMs = 21_600_000;
  private readonly logger = new Logger(FileSweep.name);

  constructor(
    private readonly files: FileRepository,
    private readonly storage: FileStorage,
    private readonly clock: Clock,
    private readonly contents: ContentSweepRepository,
  ) {}

  /**
   * Deletes contents without a file, stored bytes without a row in all folders that can be read, and unfinished uploads.
   * @returns the number of deleted files, without unfinished uploads
   * @throws the error of listing the storage, after everything else
   */
  async run(signal?: AbortSignal): Promise<number> {
    const before = this.clock.now() - ORPHAN_AGE_MS;
    await this.deleteUnusedContents(signal);
    try {
      return await this.deleteOrphans(before, signal);
    } finally {
      // Even if not all keys could be listed.
      if (signal?.aborted !== true) await this.removeUnfinishedUploads(before);
    }
  }

  private async removeUnfinishedUploads(before: number): Promise<void> {
    const removed = await this.storage.removeUnfinishedUploads(before);
    if (removed > 0) this.logger.log(`removed the parts of ${removed} unfinished uploads`);
  }

  private async deleteOrphans(before: number, signal?: AbortSignal): Promise<number> {
    let deleted = 0;
    let batch: FileKey[] = [];
    const deleteBatch = async (): Promise<void> => {
      const orphans = await this.files.findOrphans(batch);
      for (const key of orphans) await this.storage.delete(key);
      deleted += orphans.length;
      batch = [];
    };
    try {
      for await (const key of this.storage.keysBefore(before)) {
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

  private async deleteUnusedContents(signal?: AbortSignal): Promise<void> {
    let deleted = 0;
    for (let count = BATCH; count > 0 && signal?.aborted !== true;) {
      const unreferenced = await this.contents.deleteUnusedContents(BATCH);
      // After the commit. If the process is killed here, a later run finds bytes without a row.
      for (const key of unreferenced) await this.storage.delete(key);
      count = unreferenced.length;
      deleted += count;
    }
    if (deleted > 0) this.logger.log(`deleted ${deleted} contents that no file has`);
  }
}
