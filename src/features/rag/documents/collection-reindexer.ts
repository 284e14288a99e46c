import { Injectable } from '@nestjs/common';
import type { StoredCollection } from '../collections/collection.repository.js';
import { CollectionService, type RequestedSettings } from '../collections/collection.service.js';
import { ReindexService } from '../ingest/reindex.service.js';

/** Begins to build new indexes of collections. */
@Injectable()
export class CollectionReindexer {
  constructor(
    private readonly collections: CollectionService,
    private readonly reindexes: ReindexService,
  ) {}

  /**
   * Begins to index all documents of a collection with new settings, and returns the collection.
   * @throws NotFoundError, ReadOnlyCollectionError, InvalidRequestError
   */
  async reindexCollection(
    userId: string,
    reference: string,
    requested: RequestedSettings,
  ): Promise<StoredCollection> {
    const collection = await this.collections.resolveForWriting(userId, reference);
    const { id: collectionId, embeddingModel, chunkTokens, chunkOverlap } = collection;
    const settings = (await this.collections.resolveSettings(collection, requested)) ?? {
      embeddingModel,
      chunkTokens,
      chunkOverlap,
    };
    await this.reindexes.beginReindex({ userId, collectionId }, settings);
    return this.collections.resolveForReading(userId, collectionId);
  }
}
