import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { isId } from '../../common/ids.js';
import { FileStorage } from '../../infra/storage/index.js';
import { type FileKey, FileRepository } from './file.repository.js';

/** How old bytes without a row have to be, in milliseconds: a day. No upload may take nearly as long. */
export const KEPT_MS = 86_400_000;

/** After a start, so that it is not in the way of it, in milliseconds. */
const FIRST_AFTER_MS = 90_000;

/** How often it is looked for them, in milliseconds. */
const EVERY_MS = 21_600_000;

/** How many are asked for at once. */
const BATCH = 500;

/** Deletes bytes that no row is for: those of uploads whose process was killed. Twice at once is no harm. */
@Injectable()
export class FileSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Files');
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly files: FileRepository,
    private readonly storage: FileStorage,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.lookIn(FIRST_AFTER_MS);
  }

  onApplicationShutdown(): void {
    clearTimeout(this.timer);
  }

  /** @returns how many were deleted */
  async deleteOrphans(): Promise<number> {
    let deleted = 0;
    let batch: FileKey[] = [];
    const look = async (): Promise<void> => {
      const orphans = await this.files.orphansAmong(batch);
      for (const key of orphans) await this.storage.delete(key);
      deleted += orphans.length;
      batch = [];
    };
    for await (const key of this.storage.keysBefore(this.clock.now() - KEPT_MS)) {
      if (isId(key.folder) && isId(key.name)) batch.push(key);
      if (batch.length === BATCH) await look();
    }
    if (batch.length > 0) await look();
    if (deleted > 0) this.logger.log(`${deleted} files of uploads that were broken off are deleted`);
    return deleted;
  }

  private lookIn(delayMs: number): void {
    this.timer = setTimeout(() => {
      this.lookIn(EVERY_MS);
      this.deleteOrphans().catch((error: unknown) => {
        this.logger.warn(
          { err: error },
          'files of broken uploads could not be deleted; they are tried again',
        );
      });
    }, delayMs).unref();
  }
}
