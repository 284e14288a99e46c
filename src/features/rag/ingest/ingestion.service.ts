import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import { FileService } from '../../files/index.js';
import { DocumentChangeRepository, type DocumentRef } from './document-change.repository.js';
import { DocumentRepository, type InsertedDocument, type NewDocumentVersion } from './document.repository.js';
import { IngestionQueue } from './ingestion.queue.js';

/** Changes documents: what these methods resolve with is committed, and the rest happens in the background. */
@Injectable()
export class IngestionService {
  constructor(
    private readonly documents: DocumentRepository,
    private readonly changes: DocumentChangeRepository,
    private readonly queue: IngestionQueue,
    private readonly files: FileService,
  ) {}

  /**
   * Adds a document to a collection, unless it has one with the same bytes.
   * @throws NotFoundError, TooManyDocumentsError
   */
  async addDocument(version: NewDocumentVersion): Promise<Pick<InsertedDocument, 'id' | 'isDuplicate'>> {
    return this.announceInserted(await this.documents.insertDocument(version));
  }

  /**
   * Replaces a document once the new version is ingested; the later of several requests wins.
   * @throws NotFoundError, DuplicateDocumentError
   */
  async replaceDocument(documentId: string, version: NewDocumentVersion): Promise<void> {
    this.announceInserted(await this.documents.replaceDocument(documentId, version));
  }

  /**
   * Cancels the ingestion of a document. Does nothing if it has ended.
   * @throws NotFoundError
   */
  async cancelIngestion(ref: DocumentRef): Promise<void> {
    if (!(await this.changes.cancelIngestions(ref))) throw new NotFoundError('document', ref.documentId);
  }

  /**
   * Continues the ingestion of a document that has failed or was cancelled. Does nothing otherwise.
   * @throws NotFoundError
   */
  async retryIngestion(ref: DocumentRef): Promise<void> {
    const ingestions = await this.changes.retryIngestions(ref);
    if (ingestions === undefined) throw new NotFoundError('document', ref.documentId);
    this.queue.announce(ingestions);
  }

  /**
   * Deletes a document with its chunks, and the files that were created for it.
   * @throws NotFoundError
   */
  async deleteDocument(ref: DocumentRef): Promise<void> {
    const unreferenced = await this.changes.deleteDocument(ref);
    if (unreferenced === undefined) throw new NotFoundError('document', ref.documentId);
    await this.files.removeUnreferencedBytes(unreferenced);
  }

  private announceInserted({ id, isDuplicate, ingestions, unreferenced }: InsertedDocument) {
    // After the commit.
    this.queue.announce(ingestions);
    void this.files.removeUnreferencedBytes(unreferenced);
    return { id, isDuplicate };
  }
}
