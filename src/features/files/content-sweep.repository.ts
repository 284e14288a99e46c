import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';
import { deleteUnreferencedContents, type FileKey } from './file.repository.js';

/** Minimum age of a content without a file before it is deleted, in minutes. */
const UNUSED_MINUTES = 60;

/** Deletes the rows of contents that no file has, of all accounts. */
@Injectable()
export class ContentSweepRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Deletes up to `limit` contents without a file. There are some if a process of an earlier version, which knows only
   * files, deletes a file during a rolling deployment.
   * @returns the keys of their bytes, to be removed after the commit
   */
  deleteUnusedContents(limit: number): Promise<FileKey[]> {
    return this.prisma.transaction(async (transaction) => {
      const unused = await transaction.$queryRaw<{ id: string }[]>`
        SELECT id FROM file_contents
        WHERE created_at < now() - make_interval(mins => ${UNUSED_MINUTES}::int)
          AND NOT EXISTS (SELECT 1 FROM files WHERE files.content_id = file_contents.id)
        LIMIT ${limit}`;
      // An upload of equal bytes may have locked one since. The lock that this takes waits for it, then keeps the content.
      return deleteUnreferencedContents(
        transaction,
        unused.map(({ id }) => id),
      );
    });
  }
}
