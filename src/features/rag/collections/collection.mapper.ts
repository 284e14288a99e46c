import type {
  CollectionBody,
  CollectionShareBody,
  CreateCollectionBody,
  IndexSettingsBody,
  UpdateCollectionBody,
} from './collection.dto.js';
import type { StoredCollection } from './collection.repository.js';
import type { RequestedChanges, RequestedCollection, RequestedSettings } from './collection.service.js';
import type { CollectionShare } from './collection-share.repository.js';

/** Converts a collection to its API representation. */
export function toCollectionBody(collection: StoredCollection): CollectionBody {
  const { reindex } = collection;
  return {
    id: collection.id,
    name: collection.name,
    description: collection.description,
    access: collection.isOwned ? 'owner' : 'reader',
    embedding_model: collection.embeddingModel,
    chunk_tokens: collection.chunkTokens,
    chunk_overlap: collection.chunkOverlap,
    documents: collection.documentCount,
    chunks: collection.chunkCount,
    reindex: reindex && {
      embedding_model: reindex.embeddingModel,
      chunk_tokens: reindex.chunkTokens,
      chunk_overlap: reindex.chunkOverlap,
      documents: reindex.documentCount,
      finished: reindex.finishedCount,
    },
    created_at: collection.createdAt.toISOString(),
    updated_at: collection.updatedAt.toISOString(),
  };
}

/** Converts index settings of a request. */
export function toRequestedSettings(body: IndexSettingsBody): RequestedSettings {
  return {
    embeddingModel: body.embedding_model,
    chunkTokens: body.chunk_tokens,
    chunkOverlap: body.chunk_overlap,
  };
}

/** Converts a request for a new collection. */
export function toRequestedCollection(body: CreateCollectionBody): RequestedCollection {
  return { name: body.name, description: body.description, ...toRequestedSettings(body) };
}

/** Converts a request that changes a collection. */
export function toRequestedChanges(body: UpdateCollectionBody): RequestedChanges {
  return { name: body.name, description: body.description, ...toRequestedSettings(body) };
}

/** Converts the permission of a reader to its API representation. */
export function toCollectionShareBody({ id, createdAt }: CollectionShare): CollectionShareBody {
  return { user_id: id, created_at: createdAt.toISOString() };
}
