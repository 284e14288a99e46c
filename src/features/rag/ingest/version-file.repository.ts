import { Injectable } from '@nestjs/common';
import type { Transaction } from '../../../infra/database/index.js';
import { DependentFileRepository } from '../../files/index.js';
import { lockFiles, selectUnusedFiles } from './document-files.repository.js';

/**
 * Finds the files of all versions of the documents that are deleted with a file: otherwise that of a replacement which is
 * not finished would outlive its document.
 */
@Injectable()
export class VersionFileRepository extends DependentFileRepository {
  override async lockDependentFiles(
    transaction: Transaction,
    userId: string,
    fileId: string,
  ): Promise<readonly string[]> {
    // First, because a replacement locks it before it adds its version.
    await lockFiles(transaction, userId, [fileId]);
    const versions = await transaction.$queryRaw<{ id: string }[]>`
      SELECT DISTINCT ingestions.file_id AS id
      FROM documents JOIN ingestions ON ingestions.document_id = documents.id
      WHERE documents.file_id = ${fileId}::uuid AND documents.user_id = ${userId}::uuid
        AND ingestions.owns_file AND ingestions.file_id <> ${fileId}::uuid`;
    const ids = versions.map(({ id }) => id);
    await lockFiles(transaction, userId, ids);
    return ids;
  }

  override selectUnusedFiles(
    transaction: Transaction,
    userId: string,
    ids: readonly string[],
  ): Promise<readonly string[]> {
    return selectUnusedFiles(transaction, userId, ids);
  }
}
