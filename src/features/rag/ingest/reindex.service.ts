import { Injectable, Logger } from '@nestjs/common';
import { FileService } from '../../files/index.js';
import { IngestionQueue } from './ingestion.queue.js';
import { type CollectionRef, type NewIndexSettings, ReindexRepository } from './reindex.repository.js';

/** Builds indexes beside those that searches use. */
@Injectable()
export class ReindexService {
  private readonly logger = new Logger(ReindexService.name);

  constructor(
    private readonly reindexes: ReindexRepository,
    private readonly queue: IngestionQueue,
    private readonly files: FileService,
  ) {}

  /**
   * Begins to index all documents of a collection with new settings. Searches use the present index until the new one
   * has everything. Another one that is being built is given up: the later request wins.
   * @throws NotFoundError if the account has no such collection
   */
  async beginReindex(collection: CollectionRef, settings: NewIndexSettings): Promise<void> {
    const ingestions = await this.reindexes.beginReindex(collection, settings);
    this.queue.announce(ingestions);
    // At once if there are no documents.
    if (ingestions.length === 0) await this.switchIfComplete(collection);
  }

  /** Makes the index that is being built the active one, if it has everything that searches see. */
  async switchIfComplete({ userId, collectionId }: CollectionRef): Promise<void> {
    const unreferenced = await this.reindexes.switchIndex({ userId, collectionId });
    if (unreferenced === undefined) return;
    // After the commit.
    await this.files.removeUnreferencedBytes(unreferenced);
    this.logger.log({ collection: collectionId }, 'switched to a new index');
  }
}
