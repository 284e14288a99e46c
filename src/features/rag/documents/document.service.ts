import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import type { StoredFile } from '../../files/index.js';
import type { StoredCollection } from '../collections/collection.repository.js';
import { CollectionService, type OwnCollection } from '../collections/collection.service.js';
import type { DocumentRef } from '../ingest/document-change.repository.js';
import {
  type CollectionOwner,
  DocumentReadRepository,
  type DocumentSlice,
  type RagDocument,
} from '../ingest/document-read.repository.js';
import type { NewDocumentVersion } from '../ingest/document.repository.js';
import { IngestionService } from '../ingest/ingestion.service.js';
import type { DocumentMetadata } from '../model/metadata.js';

/** A document as an account that may read it sees it. */
export interface ReadDocument extends RagDocument {
  /** True if it belongs to the account. */
  readonly isOwned: boolean;
}

/** The content of a document, or of its new version. */
export interface DocumentContent {
  readonly file: Pick<StoredFile, 'id' | 'name'>;
  /** True if the file was created for this document. */
  readonly ownsFile: boolean;
  /** Title shown to readers; the name of the file by default. */
  readonly title: string | undefined;
  readonly metadata: DocumentMetadata;
}

/** A document that was added, or the one of the collection that has the same bytes. */
export interface AddedDocument {
  readonly document: ReadDocument;
  readonly isDuplicate: boolean;
}

/** Manages the documents of collections. */
@Injectable()
export class DocumentService {
  constructor(
    private readonly collections: CollectionService,
    private readonly ingestions: IngestionService,
    private readonly documents: DocumentReadRepository,
  ) {}

  /**
   * Adds a document to a collection, unless it has these bytes already.
   * @throws NotFoundError, AppError as `IngestionService.addDocument` does
   */
  async addDocument(collection: OwnCollection, content: DocumentContent): Promise<AddedDocument> {
    const { id, isDuplicate } = await this.ingestions.addDocument(toVersion(collection, content));
    return { document: await this.read(collection, id), isDuplicate };
  }

  /**
   * Replaces a document as soon as its new version is indexed.
   * @throws NotFoundError, AppError as `IngestionService.replaceDocument` does
   */
  async replaceDocument(
    collection: OwnCollection,
    id: string,
    content: DocumentContent,
  ): Promise<ReadDocument> {
    await this.ingestions.replaceDocument(id, toVersion(collection, content));
    return this.read(collection, id);
  }

  /**
   * Lists the documents of a collection, newest first.
   * @throws NotFoundError
   */
  async listDocuments(userId: string, reference: string, slice: DocumentSlice): Promise<ReadDocument[]> {
    const collection = await this.collections.resolveForReading(userId, reference);
    const documents = await this.documents.listDocuments(ownerOf(collection), slice);
    return documents.map((document) => ({ ...document, isOwned: collection.isOwned }));
  }

  /** @throws NotFoundError */
  async getDocument(userId: string, reference: string, id: string): Promise<ReadDocument> {
    return this.read(await this.collections.resolveForReading(userId, reference), id);
  }

  /**
   * Cancels the indexing of a document, unless it has ended.
   * @throws NotFoundError, ReadOnlyCollectionError
   */
  async cancelDocument(userId: string, reference: string, id: string): Promise<ReadDocument> {
    const collection = await this.collections.resolveForWriting(userId, reference);
    await this.ingestions.cancelIngestion(toRef(collection, id));
    return this.read(collection, id);
  }

  /**
   * Continues the indexing of a document that failed or was cancelled.
   * @throws NotFoundError, ReadOnlyCollectionError
   */
  async retryDocument(userId: string, reference: string, id: string): Promise<ReadDocument> {
    const collection = await this.collections.resolveForWriting(userId, reference);
    await this.ingestions.retryIngestion(toRef(collection, id));
    return this.read(collection, id);
  }

  /**
   * Deletes a document with all that was derived from it.
   * @throws NotFoundError, ReadOnlyCollectionError
   */
  async deleteDocument(userId: string, reference: string, id: string): Promise<void> {
    const collection = await this.collections.resolveForWriting(userId, reference);
    await this.ingestions.deleteDocument(toRef(collection, id));
  }

  private async read(collection: StoredCollection, id: string): Promise<ReadDocument> {
    const document = await this.documents.findDocument(ownerOf(collection), id);
    if (document === undefined) throw new NotFoundError('document', id);
    return { ...document, isOwned: collection.isOwned };
  }
}

function ownerOf({ ownerId, id }: StoredCollection): CollectionOwner {
  return { ownerId, collectionId: id };
}

function toRef({ ownerId, id }: OwnCollection, documentId: string): DocumentRef {
  return { userId: ownerId, collectionId: id, documentId };
}

function toVersion(
  { ownerId, id }: OwnCollection,
  { file, ownsFile, title, metadata }: DocumentContent,
): NewDocumentVersion {
  return {
    userId: ownerId,
    collectionId: id,
    fileId: file.id,
    ownsFile,
    title: title ?? file.name,
    metadata,
  };
}
