import { Injectable } from '@nestjs/common';
import { Prisma } from '../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../infra/database/index.js';
import { DependentFileRepository, NO_DEPENDENT_FILES } from './dependent-file.repository.js';
import { type FileRow, type StoredFile, toStoredFile } from './stored-file.js';

/** Storage location of a file's bytes: its account's folder and their name there. */
export interface FileKey {
  readonly folder: string;
  readonly name: string;
}

/** A file whose row was deleted. */
export interface DeletedFile {
  readonly id: string;
  readonly userId: string;
  /** Null if its bytes are under its own id. */
  readonly contentId: string | null;
}

/** Columns of files with the state of their text. The bytes of rows without content are under the file's own id. */
const SELECT_FILES = Prisma.sql`
  SELECT files.id, files.name, files.media_type AS "mediaType", files.size, files.hash,
    files.content_id AS "contentId", files.text_format AS "textFormat", files.purpose,
    files.expires_at AS "expiresAt", files.created_at AS "createdAt",
    file_texts.status::text AS "textStatus", file_texts.error AS "textError"
  FROM files
  LEFT JOIN file_texts ON file_texts.content_id = files.content_id AND file_texts.format = files.text_format
    AND file_texts.user_id = files.user_id`;

/** Condition of files that have not expired. */
const NOT_EXPIRED = Prisma.sql`(files.expires_at IS NULL OR files.expires_at > now())`;

/** Order of a list of files, by their time of upload. */
export type FileOrder = 'asc' | 'desc';

/** A part of the list of an account's files. */
export interface FileSlice {
  readonly limit: number;
  /** Id of the file before the first one. */
  readonly after: string | undefined;
  /** Newest first by default. */
  readonly order?: FileOrder;
  /** Only files of this purpose. */
  readonly purpose?: string | undefined;
}

/** Reads and deletes the rows of files. Queries of owners filter by owner. */
@Injectable()
export class FileRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly dependents: DependentFileRepository = NO_DEPENDENT_FILES,
  ) {}

  /** Lists files, newest first unless the slice has another order. */
  async listFiles(
    userId: string,
    { limit, after, order = 'desc', purpose }: FileSlice,
  ): Promise<StoredFile[]> {
    const [comparison, direction] =
      order === 'desc'
        ? [Prisma.sql`files.id < ${after}::uuid`, Prisma.sql`DESC`]
        : [Prisma.sql`files.id > ${after}::uuid`, Prisma.sql`ASC`];
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<FileRow[]>`
        ${SELECT_FILES}
        WHERE files.user_id = ${userId}::uuid AND ${NOT_EXPIRED}
          ${after === undefined ? Prisma.empty : Prisma.sql`AND ${comparison}`}
          ${purpose === undefined ? Prisma.empty : Prisma.sql`AND files.purpose = ${purpose}`}
        ORDER BY files.id ${direction} LIMIT ${limit}`,
    );
    return rows.map(toStoredFile);
  }

  findFile(userId: string, id: string): Promise<StoredFile | undefined> {
    return this.prisma.run((client) => selectFile(client, userId, id));
  }

  async findAll(userId: string, ids: readonly string[]): Promise<StoredFile[]> {
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<FileRow[]>`
        ${SELECT_FILES}
        WHERE files.user_id = ${userId}::uuid AND files.id = ANY(${[...ids]}::uuid[]) AND ${NOT_EXPIRED}`,
    );
    return rows.map(toStoredFile);
  }

  /**
   * Deletes the row of a file, those of the files that depend on it, and those of contents that no other file has.
   * @returns the bytes that nothing references any more; undefined if there is no such file
   */
  deleteFile(userId: string, id: string): Promise<FileKey[] | undefined> {
    return this.prisma.transaction(async (transaction) => {
      const dependents = await this.dependents.lockDependentFiles(transaction, [{ userId, id }]);
      const [deleted] = await transaction.$queryRaw<DeletedFile[]>`
        DELETE FROM files WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND ${NOT_EXPIRED}
        RETURNING id, user_id AS "userId", content_id AS "contentId"`;
      if (deleted === undefined) return undefined;
      const unused = await this.dependents.selectUnusedFiles(
        transaction,
        userId,
        dependents.map((file) => file.id),
      );
      const others = await deleteFilesOf(transaction, userId, unused);
      return deleteContentsOf(transaction, [deleted, ...others]);
    });
  }

  /**
   * Returns those of the keys that have neither a content nor a file. Ignores accounts unknown to this database: the
   * same folder may have been used with another one. What is left of deleted accounts, RemovedFolderSweep removes.
   */
  findOrphans(keys: readonly FileKey[]): Promise<FileKey[]> {
    const folders = keys.map(({ folder }) => folder);
    const names = keys.map(({ name }) => name);
    return this.prisma.run(
      (client) => client.$queryRaw<FileKey[]>`
        SELECT key.folder::text, key.name::text
        FROM unnest(${folders}::uuid[], ${names}::uuid[]) AS key(folder, name)
        JOIN users ON users.id = key.folder
        WHERE NOT EXISTS (
            SELECT 1 FROM file_contents WHERE file_contents.id = key.name AND file_contents.user_id = key.folder)
          AND NOT EXISTS (
            SELECT 1 FROM files
            WHERE files.id = key.name AND files.user_id = key.folder AND files.content_id IS NULL)`,
    );
  }
}

/** Reads a file of an account. */
export async function selectFile(
  client: Pick<Transaction, '$queryRaw'>,
  userId: string,
  id: string,
): Promise<StoredFile | undefined> {
  const [row] = await client.$queryRaw<FileRow[]>`
    ${SELECT_FILES}
    WHERE files.id = ${id}::uuid AND files.user_id = ${userId}::uuid AND ${NOT_EXPIRED}`;
  return row && toStoredFile(row);
}

/**
 * Deletes the rows of files of an account, and of contents that no other file has, in the caller's transaction.
 * @returns the keys of bytes that nothing references any more, to be removed after the commit
 */
export async function deleteFileRows(
  transaction: Transaction,
  userId: string,
  ids: readonly string[],
): Promise<FileKey[]> {
  return deleteContentsOf(transaction, await deleteFilesOf(transaction, userId, ids));
}

/** Deletes the rows of files of an account. Their contents are left to `deleteContentsOf`. */
export async function deleteFilesOf(
  transaction: Transaction,
  userId: string,
  ids: readonly string[],
): Promise<DeletedFile[]> {
  if (ids.length === 0) return [];
  return transaction.$queryRaw<DeletedFile[]>`
    DELETE FROM files WHERE id = ANY(${[...ids]}::uuid[]) AND user_id = ${userId}::uuid
    RETURNING id, user_id AS "userId", content_id AS "contentId"`;
}

/**
 * Deletes the contents of all files that were deleted in a transaction, unless another file has them. Once per transaction:
 * it locks them in the order of their ids.
 * @returns the keys of bytes that nothing references any more, to be removed after the commit
 */
export async function deleteContentsOf(
  transaction: Transaction,
  files: readonly DeletedFile[],
): Promise<FileKey[]> {
  if (files.length === 0) return [];
  const contents = files.flatMap(({ contentId }) => contentId ?? []);
  // The bytes of a file without content are its own.
  const own = files
    .filter(({ contentId }) => contentId === null)
    .map(({ userId, id }) => ({ folder: userId, name: id }));
  return [...own, ...(await deleteUnreferencedContents(transaction, contents))];
}

/**
 * Deletes those of the contents that no file has. The caller has deleted files of them in the same transaction.
 * @returns the keys of their bytes, to be removed after the commit
 */
export async function deleteUnreferencedContents(
  transaction: Transaction,
  ids: readonly string[],
): Promise<FileKey[]> {
  // This lock makes an upload of equal bytes harmless. If the upload was first, its file is committed once the lock is
  // ours, and the next statement, with a snapshot of its own, keeps the content. If it comes later, it waits for this
  // commit, finds no content, and inserts one under its own id with its own bytes, which nobody deletes.
  await transaction.$queryRaw`SELECT 1 FROM file_contents WHERE id = ANY(${[...ids]}::uuid[]) ORDER BY id FOR UPDATE`;
  return transaction.$queryRaw<FileKey[]>`
    DELETE FROM file_contents
    WHERE id = ANY(${[...ids]}::uuid[]) AND NOT EXISTS (SELECT 1 FROM files WHERE files.content_id = file_contents.id)
    RETURNING user_id::text AS folder, id::text AS name`;
}
