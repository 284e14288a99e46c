import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';
import type { FileKey } from './file.repository.js';

/** Remembers the bytes of deleted contents until they are removed, of all accounts. */
@Injectable()
export class RemovedContentRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns the keys of bytes whose content was deleted at least some seconds ago, the oldest first. */
  listRemovedContents(minAgeSeconds: number, limit: number): Promise<FileKey[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<FileKey[]>`
        SELECT user_id::text AS folder, id::text AS name FROM removed_contents
        WHERE removed_at <= now() - make_interval(secs => ${minAgeSeconds}::int)
        ORDER BY removed_at LIMIT ${limit}`,
    );
  }

  /** Forgets contents whose bytes are removed. */
  async forgetRemovedContents(keys: readonly FileKey[]): Promise<void> {
    const ids = keys.map(({ name }) => name);
    await this.prisma.run(
      (client) => client.$executeRaw`DELETE FROM removed_contents WHERE id = ANY(${ids}::uuid[])`,
    );
  }
}
