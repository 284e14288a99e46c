import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';

/** A stored file. */
export interface StoredFile {
  readonly id: string;
  readonly name: string;
  readonly mediaType: string;
  /** Size in bytes. */
  readonly size: number;
  readonly createdAt: Date;
}

/** Storage location of a file: its account's folder and its name there. */
export interface FileKey {
  readonly folder: string;
  readonly name: string;
}

const SHOWN = { id: true, name: true, mediaType: true, size: true, createdAt: true } as const;

/** Stores the rows of files. Queries of owners filter by owner. */
@Injectable()
export class FileRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Inserts the row of a file whose bytes are stored.
   * @returns undefined if the account has been disabled or deleted in the meantime
   */
  async insert(file: {
    readonly id: string;
    readonly userId: string;
    readonly name: string;
    readonly mediaType: string;
    readonly size: number;
    readonly hash: Uint8Array<ArrayBuffer>;
  }): Promise<StoredFile | undefined> {
    // An account is disabled before its bytes are purged. FOR SHARE waits for that: either the row exists before the
    // purge, which removes its bytes too, or the insert returns nothing and the upload removes its own bytes.
    const [row] = await this.prisma.run(
      (client) => client.$queryRaw<StoredFile[]>`
        INSERT INTO files (id, user_id, name, media_type, size, hash)
        SELECT ${file.id}::uuid, id, ${file.name}, ${file.mediaType}, ${file.size}::int, ${file.hash}
        FROM users WHERE id = ${file.userId}::uuid AND disabled_at IS NULL
        FOR SHARE
        RETURNING id, name, media_type AS "mediaType", size, created_at AS "createdAt"`,
    );
    return row;
  }

  /** Lists files, newest first. */
  list(
    userId: string,
    { limit, after }: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredFile[]> {
    return this.prisma.run((client) =>
      client.file.findMany({
        where: { userId, ...(after !== undefined && { id: { lt: after } }) },
        orderBy: { id: 'desc' },
        take: limit,
        select: SHOWN,
      }),
    );
  }

  find(userId: string, id: string): Promise<StoredFile | null> {
    return this.prisma.run((client) => client.file.findFirst({ where: { id, userId }, select: SHOWN }));
  }

  findAll(userId: string, ids: readonly string[]): Promise<StoredFile[]> {
    return this.prisma.run((client) =>
      client.file.findMany({ where: { id: { in: [...ids] }, userId }, select: SHOWN }),
    );
  }

  /** @returns whether the file existed */
  async delete(userId: string, id: string): Promise<boolean> {
    const { count } = await this.prisma.run((client) => client.file.deleteMany({ where: { id, userId } }));
    return count === 1;
  }

  /**
   * Returns those of the keys that have no row. Ignores accounts unknown to this database: the same folder may have
   * been used with another one.
   */
  findOrphans(keys: readonly FileKey[]): Promise<FileKey[]> {
    const folders = keys.map(({ folder }) => folder);
    const names = keys.map(({ name }) => name);
    return this.prisma.run(
      (client) => client.$queryRaw<FileKey[]>`
        SELECT key.folder::text, key.name::text
        FROM unnest(${folders}::uuid[], ${names}::uuid[]) AS key(folder, name)
        JOIN users ON users.id = key.folder
        WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.id = key.name AND files.user_id = key.folder)`,
    );
  }
}
