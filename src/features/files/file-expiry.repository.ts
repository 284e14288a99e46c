import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';
import { DependentFileRepository, NO_DEPENDENT_FILES, type OwnedFile } from './dependent-file.repository.js';
import { deleteContentsOf, type DeletedFile, deleteFilesOf, type FileKey } from './file.repository.js';

/** A batch of expired files that was deleted. */
export interface DeletedFiles {
  /** Number of the expired files, without those that depended on them. */
  readonly count: number;
  /** Bytes that nothing references any more. */
  readonly unreferenced: readonly FileKey[];
}

/** Deletes the rows of expired files, of all accounts. */
@Injectable()
export class FileExpiryRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly dependents: DependentFileRepository = NO_DEPENDENT_FILES,
  ) {}

  /** Deletes up to `limit` expired files, the files that depend on them, and the contents that no other file has. */
  async deleteExpiredFiles(limit: number): Promise<DeletedFiles> {
    const expired = await this.selectExpiredFiles(limit);
    if (expired.length === 0) return { count: 0, unreferenced: [] };
    return this.prisma.transaction(async (transaction) => {
      const dependents = await this.dependents.lockDependentFiles(transaction, expired);
      const deleted = await transaction.$queryRaw<DeletedFile[]>`
        DELETE FROM files WHERE id IN (
          SELECT id FROM files
          WHERE id = ANY(${expired.map(({ id }) => id)}::uuid[]) AND expires_at <= now() ORDER BY id FOR UPDATE)
        RETURNING id, user_id AS "userId", content_id AS "contentId"`;
      const others: DeletedFile[] = [];
      for (const [userId, files] of Map.groupBy(dependents, (file) => file.userId)) {
        const ids = files.map(({ id }) => id);
        const unused = await this.dependents.selectUnusedFiles(transaction, userId, ids);
        others.push(...(await deleteFilesOf(transaction, userId, unused)));
      }
      return {
        count: deleted.length,
        unreferenced: await deleteContentsOf(transaction, [...deleted, ...others]),
      };
    });
  }

  /** Returns files that have expired, the oldest first. Their locks end with the statement. */
  private selectExpiredFiles(limit: number): Promise<OwnedFile[]> {
    // SKIP LOCKED: a file that its owner or another process is deleting is left to it.
    return this.prisma.run(
      (client) => client.$queryRaw<OwnedFile[]>`
        SELECT id, user_id AS "userId" FROM files
        WHERE expires_at <= now() ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED`,
    );
  }
}
