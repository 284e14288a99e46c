import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import type { ScheduledTask } from '../../infra/queue/index.js';
import { FileStorage, StorageUnavailableError } from '../../infra/storage/index.js';
import { ORPHAN_AGE_MS } from './file-sweep.js';
import { RemovedFolderRepository } from './removed-folder.repository.js';

/** Number of folders per query. */
const BATCH = 500;

/**
 * Removes what uploads have stored for an account after its deletion had removed its files, if they were killed or could
 * not remove it. It waits until no such upload can run any more. Concurrent runs are harmless: folders are never used
 * again.
 */
@Injectable()
export class RemovedFolderSweep implements ScheduledTask {
  readonly name = 'removed-folders';
  readonly firstAfterMs = 120_000;
  readonly everyMs = 21_600_000;
  private readonly logger = new Logger(RemovedFolderSweep.name);

  constructor(
    private readonly folders: RemovedFolderRepository,
    private readonly storage: FileStorage,
    private readonly clock: Clock,
  ) {}

  /** @returns the number of removed folders, most of which had no bytes */
  async run(signal?: AbortSignal): Promise<number> {
    const before = new Date(this.clock.now() - ORPHAN_AGE_MS);
    let removed = 0;
    let after: string | undefined;
    do {
      const page = await this.folders.listRemovedFolders(before, after, BATCH);
      const gone: string[] = [];
      for (const folder of page)
        if (signal?.aborted !== true && (await this.isDeleted(folder))) gone.push(folder);
      if (gone.length > 0) await this.folders.forgetRemovedFolders(gone);
      removed += gone.length;
      after = page.at(-1);
    } while (after !== undefined && signal?.aborted !== true);
    return removed;
  }

  /** Deletes a folder; false if the store refuses this one, which must not keep the others. */
  private async isDeleted(folder: string): Promise<boolean> {
    try {
      await this.storage.deleteFolder(folder);
      return true;
    } catch (error) {
      if (error instanceof StorageUnavailableError) throw error;
      this.logger.warn(
        { err: error, user: folder },
        'could not remove the files of a deleted account; will retry',
      );
      return false;
    }
  }
}
