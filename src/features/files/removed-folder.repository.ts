import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';

/** Remembers the folders of deleted accounts until they are empty for good. */
@Injectable()
export class RemovedFolderRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Returns folders of accounts that were deleted before a time, in order, after one of them. An account that exists again
   * is from a backup.
   */
  async listRemovedFolders(before: Date, after: string | undefined, limit: number): Promise<string[]> {
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<{ folder: string }[]>`
        SELECT user_id::text AS folder FROM removed_folders
        WHERE removed_at < ${before} AND (${after ?? null}::uuid IS NULL OR user_id > ${after ?? null}::uuid)
          AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = removed_folders.user_id)
        ORDER BY user_id LIMIT ${limit}`,
    );
    return rows.map(({ folder }) => folder);
  }

  /** Forgets folders whose bytes are removed. */
  async forgetRemovedFolders(folders: readonly string[]): Promise<void> {
    await this.prisma.run(
      (client) =>
        client.$executeRaw`DELETE FROM removed_folders WHERE user_id = ANY(${[...folders]}::uuid[])`,
    );
  }
}
