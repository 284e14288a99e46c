import { Injectable, Logger } from '@nestjs/common';
import { FileService } from '../../files/index.js';
import { ReindexRepository } from './reindex.repository.js';
import { ReindexService } from './reindex.service.js';
import { type DeletedCollection, RetrievalDeletionRepository } from './retrieval-deletion.repository.js';

/** Number of collections per query. */
const BATCH = 100;

/**
 * Deletes the rows of deleted collections and retired indexes, and ends the building of indexes whose last process died
 * before that. Concurrent runs are harmless.
 */
@Injectable()
export class RetrievalSweep {
  private readonly logger = new Logger(RetrievalSweep.name);

  constructor(
    private readonly deletions: RetrievalDeletionRepository,
    private readonly reindexed: ReindexRepository,
    private readonly reindexes: ReindexService,
    private readonly files: FileService,
  ) {}

  /** Runs until nothing is left or the signal aborts. */
  async run(signal?: AbortSignal): Promise<void> {
    for (const collection of await this.deletions.listDeletedCollections(BATCH))
      await this.attempt(collection.id, () => this.deleteRows(collection, signal));
    for (const collection of await this.reindexed.listReindexedCollections(BATCH)) {
      if (signal?.aborted === true) return;
      await this.attempt(collection.collectionId, () => this.reindexes.switchIfComplete(collection));
    }
  }

  /** One collection that cannot be swept must not keep the others, of other accounts, from it. */
  private async attempt(collection: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.warn({ err: error, collection }, 'a collection could not be swept; will retry');
    }
  }

  private async deleteRows(collection: DeletedCollection, signal?: AbortSignal): Promise<void> {
    for (let hasMore = true; hasMore && signal?.aborted !== true;) {
      const batch = await this.deletions.deleteBatch(collection);
      // After the commit. If the process is killed here, the sweep of files finds bytes without a row.
      await this.files.removeUnreferencedBytes(batch.unreferenced);
      ({ hasMore } = batch);
    }
    this.logger.debug(
      { collection: collection.id },
      'deleted the rows of a collection or of a retired index',
    );
  }
}
