import { Injectable } from '@nestjs/common';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { FileKey } from '../../files/index.js';
import { deleteUnusedFiles, lockFiles, selectOwnedFiles } from './document-files.repository.js';
import { holds } from './ingestion.repository.js';
import type { ClaimedIngestion } from './ingestion.js';

/** Maximum duration of the transaction that replaces the chunks of a document, in milliseconds. */
const FINISH_TIMEOUT_MS = 30_000;

/** The end of an ingestion whose chunks are all stored. */
export interface FinishedIngestion {
  /** `superseded`: a later version of the document is wanted or visible already, so this one is gone. */
  readonly status: 'visible' | 'superseded' | 'lost';
  /** Bytes of a replaced version that nothing references any more. */
  readonly unreferenced: readonly FileKey[];
}

const LOST: FinishedIngestion = { status: 'lost', unreferenced: [] };

/** Makes finished ingestions visible. */
@Injectable()
export class IngestionFinishRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Makes the chunks of an ingestion visible instead of those of the version before, all or nothing: readers see the
   * old version until the commit, and the new one after it. Repeating it is harmless: the claim no longer holds.
   */
  finishIngestion(claimed: ClaimedIngestion): Promise<FinishedIngestion> {
    const { userId, documentId, indexId, collectionId } = claimed;
    return this.prisma.transaction(async (transaction) => {
      // The switch of a new index and the deletion of the collection lock this row exclusively: the index is active or
      // not until the commit.
      const [index] = await transaction.$queryRaw<{ isActive: boolean }[]>`
        SELECT collection_indexes.status = 'active' AS "isActive"
        FROM collections JOIN collection_indexes ON collection_indexes.collection_id = collections.id
        WHERE collections.id = ${collectionId}::uuid AND collections.user_id = ${userId}::uuid
          AND collections.deleted_at IS NULL AND collection_indexes.id = ${indexId}::uuid
        FOR SHARE OF collections`;
      if (index === undefined) return LOST;
      const replaced = await selectReplacedFiles(transaction, claimed);
      await lockFiles(transaction, userId, [claimed.fileId, ...replaced]);
      const [document] = await transaction.$queryRaw<{ version: number }[]>`
        SELECT version FROM documents WHERE id = ${documentId}::uuid AND user_id = ${userId}::uuid FOR NO KEY UPDATE`;
      const [own] = await transaction.$queryRaw<{ version: number; ownsFile: boolean }[]>`
        SELECT version, owns_file AS "ownsFile" FROM ingestions WHERE ${holds(claimed)} FOR UPDATE`;
      if (document === undefined || own === undefined) return LOST;
      // With the lock of the document: of two versions the later one wins, whichever is finished first.
      const isLatest = index.isActive
        ? own.version === document.version
        : !(await hasLaterVersion(transaction, claimed, own.version));
      if (!isLatest) {
        await transaction.$executeRaw`DELETE FROM ingestions WHERE ${holds(claimed)}`;
        const files = await deleteUnusedFiles(transaction, userId, own.ownsFile ? [claimed.fileId] : []);
        return { status: 'superseded', unreferenced: files };
      }
      await transaction.$executeRaw`
        DELETE FROM ingestions
        WHERE document_id = ${documentId}::uuid AND index_id = ${indexId}::uuid AND user_id = ${userId}::uuid
          AND id <> ${claimed.id}::uuid AND version <= ${own.version}::int`;
      await transaction.$executeRaw`
        UPDATE ingestions
        SET visible = TRUE, status = 'ready', due_at = NULL, lease_id = NULL, heartbeat_at = now(), attempts = 0
        WHERE ${holds(claimed)}`;
      if (index.isActive) await copyToDocument(transaction, claimed);
      // Whichever of two indexes is finished last finds the files unused.
      return { status: 'visible', unreferenced: await deleteUnusedFiles(transaction, userId, replaced) };
    }, FINISH_TIMEOUT_MS);
  }
}

/** Returns the other files that were created for versions of the document. */
async function selectReplacedFiles(
  transaction: Transaction,
  { documentId, userId, fileId }: ClaimedIngestion,
): Promise<string[]> {
  const files = await selectOwnedFiles(transaction, userId, documentId);
  return files.filter((id) => id !== fileId);
}

/** Returns true if searches of the index would see a later version of the document. */
async function hasLaterVersion(
  transaction: Transaction,
  { documentId, indexId, userId }: ClaimedIngestion,
  version: number,
): Promise<boolean> {
  const [row] = await transaction.$queryRaw<{ found: boolean }[]>`
    SELECT EXISTS (
      SELECT 1 FROM ingestions
      WHERE document_id = ${documentId}::uuid AND index_id = ${indexId}::uuid AND user_id = ${userId}::uuid
        AND visible AND version > ${version}::int) AS found`;
  return row?.found === true;
}

/** Gives the document the file, the title and the metadata of the version that has become visible. */
async function copyToDocument(transaction: Transaction, { id, userId }: ClaimedIngestion): Promise<void> {
  await transaction.$executeRaw`
    UPDATE documents
    SET file_id = ingestions.file_id, owns_file = ingestions.owns_file, hash = ingestions.hash,
      title = ingestions.title, metadata = ingestions.metadata, updated_at = now()
    FROM ingestions
    WHERE ingestions.id = ${id}::uuid AND documents.id = ingestions.document_id AND documents.user_id = ${userId}::uuid`;
}
