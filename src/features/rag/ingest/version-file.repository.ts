import { Injectable } from '@nestjs/common';
import type { Transaction } from '../../../infra/database/index.js';
import { DependentFileRepository, type OwnedFile } from '../../files/index.js';
import { selectUnusedFiles } from './document-files.repository.js';

/**
 * Finds the files of all versions of the documents that are deleted with a file: otherwise that of a replacement which is
 * not finished would outlive its document.
 */
@Injectable()
export class VersionFileRepository extends DependentFileRepository {
  override async lockDependentFiles(
    transaction: Transaction,
    files: readonly OwnedFile[],
  ): Promise<readonly OwnedFile[]> {
    let dependents = await selectDependentFiles(transaction, files);
    for (;;) {
      const locked = new Set(dependents.map(({ id }) => id));
      await lockOwnedFiles(transaction, [...files, ...dependents]);
      // A replacement locks the file of its document before it adds its version: those that were first are committed by
      // now, and those that come later wait.
      dependents = await selectDependentFiles(transaction, files);
      if (dependents.every(({ id }) => locked.has(id))) return dependents;
    }
  }

  override selectUnusedFiles(
    transaction: Transaction,
    userId: string,
    ids: readonly string[],
  ): Promise<readonly string[]> {
    return selectUnusedFiles(transaction, userId, ids);
  }
}

/** Locks files of any accounts in the order of their ids, as `lockFiles` does. */
async function lockOwnedFiles(transaction: Transaction, files: readonly OwnedFile[]): Promise<void> {
  await transaction.$queryRaw`
    SELECT 1
    FROM unnest(${files.map(({ userId }) => userId)}::uuid[], ${files.map(({ id }) => id)}::uuid[]) AS wanted (user_id, id)
    JOIN files ON files.id = wanted.id AND files.user_id = wanted.user_id
    ORDER BY files.id FOR UPDATE OF files`;
}

/** Returns the other files that were created for versions of the documents of these files. */
function selectDependentFiles(transaction: Transaction, files: readonly OwnedFile[]): Promise<OwnedFile[]> {
  const ids = files.map(({ id }) => id);
  return transaction.$queryRaw<OwnedFile[]>`
    SELECT DISTINCT ingestions.file_id AS id, ingestions.user_id AS "userId"
    FROM unnest(${files.map(({ userId }) => userId)}::uuid[], ${ids}::uuid[]) AS wanted (user_id, id)
    JOIN documents ON documents.file_id = wanted.id AND documents.user_id = wanted.user_id
    JOIN ingestions ON ingestions.document_id = documents.id AND ingestions.user_id = documents.user_id
    WHERE ingestions.owns_file AND ingestions.file_id <> ALL(${ids}::uuid[])`;
}
