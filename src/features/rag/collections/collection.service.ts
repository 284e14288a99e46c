import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { AppError, InvalidRequestError, NotFoundError } from '../../../common/errors.js';
import { ragConfig } from '../../../config/index.js';
import { ModelCatalog } from '../../../llm/index.js';
import { CollectionNameTakenError, ReadOnlyCollectionError } from './collection.errors.js';
import {
  CollectionRepository,
  type CollectionSlice,
  type StoredCollection,
} from './collection.repository.js';
import {
  DEFAULT_COLLECTION,
  type IndexSettings,
  type RequestedChunking,
  resolveChunking,
} from './collection-settings.js';

/** Index settings that a request asks for. */
export interface RequestedSettings extends RequestedChunking {
  /** Null for lexical search only; undefined for the default or the present model. */
  readonly embeddingModel?: string | null | undefined;
}

/** A collection that a request asks for. */
export interface RequestedCollection extends RequestedSettings {
  readonly name: string;
  readonly description?: string | null | undefined;
}

/** Changes that a request asks for. */
export interface RequestedChanges extends RequestedSettings {
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** A collection that belongs to the account. */
export type OwnCollection = StoredCollection & { readonly isOwned: true };

/** Manages collections and decides who may read and change them. */
@Injectable()
export class CollectionService {
  constructor(
    private readonly collections: CollectionRepository,
    private readonly catalog: ModelCatalog,
    @Inject(ragConfig.KEY) private readonly config: ConfigType<typeof ragConfig>,
  ) {}

  /**
   * Creates a collection.
   * @throws InvalidRequestError, CollectionNameTakenError, TooManyCollectionsError
   * @throws AppError `provider_unavailable` if the embedding model cannot be looked up
   */
  async createCollection(
    userId: string,
    { name, description, embeddingModel, ...chunking }: RequestedCollection,
  ): Promise<StoredCollection> {
    return this.collections.insertCollection({
      userId,
      name,
      description: description ?? null,
      embeddingModel:
        embeddingModel === undefined ? await this.defaultModel() : await this.resolveModel(embeddingModel),
      ...resolveChunking(chunking),
    });
  }

  /** Lists the collections that an account may read, newest first. */
  listCollections(userId: string, slice: CollectionSlice): Promise<StoredCollection[]> {
    return this.collections.listCollections(userId, slice);
  }

  /**
   * Returns a collection that the account may read.
   * @param reference id, or name of one of its own
   * @throws NotFoundError
   */
  async resolveForReading(userId: string, reference: string): Promise<StoredCollection> {
    const found = await this.collections.findReadable(userId, reference);
    if (found === undefined) throw new NotFoundError('collection', reference);
    return found;
  }

  /**
   * Returns a collection of the account.
   * @throws NotFoundError
   * @throws ReadOnlyCollectionError if it is only shared with the account
   */
  async resolveForWriting(userId: string, reference: string): Promise<OwnCollection> {
    return assertOwn(await this.resolveForReading(userId, reference));
  }

  /**
   * Returns a collection that is to be searched. The default collection is created if it does not exist.
   * @param reference id, or name of one of the account's own; undefined for the default collection
   * @throws NotFoundError
   */
  async resolveForSearch(userId: string, reference: string = DEFAULT_COLLECTION): Promise<StoredCollection> {
    const found = await this.collections.findReadable(userId, reference);
    if (found !== undefined) return found;
    if (reference === DEFAULT_COLLECTION) return this.createDefault(userId);
    throw new NotFoundError('collection', reference);
  }

  /**
   * Returns a collection of the account that gets a document. The default collection is created if it does not exist.
   * @throws NotFoundError
   * @throws ReadOnlyCollectionError if it is only shared with the account
   */
  async resolveForUpload(userId: string, reference: string): Promise<OwnCollection> {
    return assertOwn(await this.resolveForSearch(userId, reference));
  }

  /**
   * Changes a collection.
   * @throws NotFoundError, ReadOnlyCollectionError, InvalidRequestError, CollectionNameTakenError
   * @throws ReindexRequiredError if its index would change, and it has documents
   */
  async updateCollection(
    userId: string,
    reference: string,
    { name, description, ...requested }: RequestedChanges,
  ): Promise<StoredCollection> {
    const current = await this.resolveForWriting(userId, reference);
    const settings = await this.resolveSettings(current, requested);
    const updated = await this.collections.updateCollection(userId, current.id, {
      name,
      description,
      settings,
    });
    if (updated === undefined) throw new NotFoundError('collection', reference);
    return updated;
  }

  /**
   * Returns the index settings of a collection with the changes of a request; undefined if it changes none.
   * @throws InvalidRequestError
   */
  async resolveSettings(
    current: IndexSettings,
    { embeddingModel, chunkTokens, chunkOverlap }: RequestedSettings,
  ): Promise<IndexSettings | undefined> {
    if (embeddingModel === undefined && chunkTokens === undefined && chunkOverlap === undefined)
      return undefined;
    return {
      embeddingModel:
        embeddingModel === undefined ? current.embeddingModel : await this.resolveModel(embeddingModel),
      ...resolveChunking({ chunkTokens, chunkOverlap }, current),
    };
  }

  /**
   * Deletes a collection with its documents: nobody sees it from then on.
   * @throws NotFoundError, ReadOnlyCollectionError
   */
  async deleteCollection(userId: string, reference: string): Promise<void> {
    const found = await this.resolveForWriting(userId, reference);
    if (!(await this.collections.deleteCollection(userId, found.id)))
      throw new NotFoundError('collection', reference);
  }

  private async createDefault(userId: string): Promise<StoredCollection> {
    try {
      return await this.createCollection(userId, { name: DEFAULT_COLLECTION });
    } catch (error) {
      // Another request has created it meanwhile.
      const created =
        error instanceof CollectionNameTakenError
          ? await this.collections.findReadable(userId, DEFAULT_COLLECTION)
          : undefined;
      if (created === undefined) throw error;
      return created;
    }
  }

  /** Returns the embedding model of new collections: by its full name, unless its provider is away. */
  private async defaultModel(): Promise<string | null> {
    const { embeddingModel } = this.config;
    if (embeddingModel === undefined) return null;
    return this.catalog.canonicalName(embeddingModel).catch(() => embeddingModel);
  }

  /**
   * Returns the full name of an embedding model, or an alias unchanged; null for lexical search only.
   * @throws InvalidRequestError if there is no such model
   */
  private async resolveModel(requested: string | null): Promise<string | null> {
    if (requested === null) return null;
    try {
      return await this.catalog.canonicalName(requested);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'model_not_found') throw error;
      throw new InvalidRequestError(error.message, [{ field: 'embedding_model', message: error.message }]);
    }
  }
}

/** @throws ReadOnlyCollectionError if a collection is only shared with the account */
function assertOwn(collection: StoredCollection): OwnCollection {
  if (!isOwn(collection)) throw new ReadOnlyCollectionError();
  return collection;
}

function isOwn(collection: StoredCollection): collection is OwnCollection {
  return collection.isOwned;
}
