import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';
import { deleteUnreferencedContents, type FileKey } from './file.repository.js';

/** A batch of expired files that was deleted. */
export interface DeletedFiles {
  readonly count: number;
  /** Bytes that nothing references any more. */
  readonly unreferenced: readonly FileKey[];
}

/** Deletes the rows of expired files, of all accounts. */
@Injectable()
export class FileExpiryRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Deletes up to `limit` expired files, and the contents that no other file has. */
  deleteExpiredFiles(limit: number): Promise<DeletedFiles> {
    return this.prisma.transaction(async (transaction) => {
      // SKIP LOCKED: two processes delete different files, and a file that its owner is deleting is left to the owner.
      const deleted = await transaction.$queryRaw<{ contentId: string | null; id: string; userId: string }[]>`
        DELETE FROM files WHERE id IN (
          SELECT id FROM files WHERE expires_at <= now() ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)
        RETURNING id, user_id AS "userId", content_id AS "contentId"`;
      const contents = deleted.flatMap(({ contentId }) => contentId ?? []);
      // The bytes of a file without content are its own.
      const own = deleted
        .filter(({ contentId }) => contentId === null)
        .map(({ userId, id }) => ({ folder: userId, name: id }));
      const unreferenced = await deleteUnreferencedContents(transaction, contents);
      return { count: deleted.length, unreferenced: [...own, ...unreferenced] };
    });
  }
}
