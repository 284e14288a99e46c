import { Injectable } from '@nestjs/common';
import { AppError, IdempotencyKeyReusedError, NotFoundError } from '../../common/errors.js';
import { deleteInBatches, PrismaService, type Transaction } from '../../infra/database/index.js';
import type { ExtractionFailure, TextFormat } from './extraction/extracted-text.js';
import { selectFile } from './file.repository.js';
import type { StoredFile } from './stored-file.js';

/** Retention of the idempotency keys of uploads, in hours. */
const UPLOAD_KEY_HOURS = 24;

/** `Idempotency-Key` of an upload. */
export interface UploadIdempotency {
  /** Method and path of the route: a key counts on one route. */
  readonly route: string;
  readonly key: string;
}

/** An upload whose bytes are stored under the id of its content. */
export interface NewUpload {
  readonly id: string;
  readonly contentId: string;
  readonly userId: string;
  readonly name: string;
  readonly mediaType: string;
  readonly size: number;
  /** SHA-256 of the bytes. */
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly textFormat: TextFormat | null;
  readonly purpose: string;
  /** Lifetime in seconds; undefined if the file does not expire. */
  readonly expiresAfterS: number | undefined;
  readonly idempotency: UploadIdentity | undefined;
  /** Identity under which a file is returned instead that `keepForRepeat` has kept. */
  readonly repeated: UploadIdentity | undefined;
  /** True for a file that the server makes: a disabled account gets it, too. Default: false. */
  readonly madeByServer?: boolean;
}

/** A key with the upload that it stands for. */
export interface UploadIdentity extends UploadIdempotency {
  readonly fingerprint: Uint8Array<ArrayBuffer>;
}

/** The file of an upload. */
export interface InsertedUpload {
  readonly file: StoredFile;
  /** True if an earlier upload had created it: one with the same key, or one that is repeated. */
  readonly replayed: boolean;
}

/** Stores the rows of uploads. */
@Injectable()
export class UploadRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Inserts the rows of an upload: its content unless the account has equal bytes, the job that extracts its text, and
   * its file. If the file's `contentId` is not that of the upload, its bytes are not needed.
   * @param quotaBytes maximum bytes of all contents of the account
   * @throws AppError `unauthorized` if the account has been disabled or deleted in the meantime, or only if it has been
   *   deleted for a file that the server makes, `storage_quota_exceeded`
   * @throws IdempotencyKeyReusedError
   * @throws DeletedUploadError if the file of the key has been deleted
   */
  insertUpload(upload: NewUpload, quotaBytes: number | undefined): Promise<InsertedUpload> {
    const { userId, contentId, madeByServer = false } = upload;
    return this.prisma.transaction(async (transaction) => {
      await lockAccount(transaction, userId, madeByServer);
      const known = (await findReplay(transaction, upload)) ?? (await findKept(transaction, upload));
      if (known !== undefined) return { file: known, replayed: true };
      const stored = await insertContent(transaction, upload);
      if (stored === contentId && quotaBytes !== undefined) {
        // A statement of its own, after the lock: it sees the content of every upload that was committed before.
        const used = await selectUsedBytes(transaction, userId);
        if (used > quotaBytes) throw new StorageQuotaError(quotaBytes);
      }
      if (upload.textFormat !== null) await insertText(transaction, userId, stored, upload.textFormat);
      await transaction.$executeRaw`
        INSERT INTO files (id, user_id, name, media_type, size, hash, content_id, text_format, purpose, expires_at)
        VALUES (${upload.id}::uuid, ${userId}::uuid, ${upload.name}, ${upload.mediaType}, ${upload.size}::int,
          ${upload.hash}, ${stored}::uuid, ${upload.textFormat}, ${upload.purpose},
          now() + make_interval(secs => ${upload.expiresAfterS ?? null}::float8))`;
      await insertKey(transaction, upload);
      const file = await selectFile(transaction, userId, upload.id);
      if (file === undefined) throw new Error('The row of an upload is missing in its own transaction.');
      return { file, replayed: false };
    });
  }

  /** Returns the bytes of all contents of an account. */
  readUsedBytes(userId: string): Promise<number> {
    return this.prisma.run((client) => selectUsedBytes(client, userId));
  }

  /** Returns true if the account has a content of a size within these bounds, in bytes. */
  async hasContentOfSize(userId: string, min: number, max: number): Promise<boolean> {
    const [row] = await this.prisma.run(
      (client) => client.$queryRaw<{ found: boolean }[]>`
        SELECT EXISTS (
          SELECT 1 FROM file_contents WHERE user_id = ${userId}::uuid AND size BETWEEN ${min}::bigint AND ${max}::bigint
        ) AS found`,
    );
    return row?.found === true;
  }

  /** Keeps a file for a repeated upload, for a day. */
  async insertKept(userId: string, fileId: string, identity: UploadIdentity): Promise<void> {
    const { route, key, fingerprint } = identity;
    // The file may have been deleted in the meantime; then there is nothing to keep.
    await this.prisma.run(
      (client) => client.$executeRaw`
        INSERT INTO upload_keys (user_id, route, key, fingerprint, file_id)
        SELECT user_id, ${route}, ${key}, ${fingerprint}, id FROM files
        WHERE user_id = ${userId}::uuid AND id = ${fileId}::uuid
        ON CONFLICT (user_id, route, key) DO UPDATE
        SET fingerprint = EXCLUDED.fingerprint, file_id = EXCLUDED.file_id, created_at = now()`,
    );
  }

  /** Deletes an idempotency key. */
  async deleteKey(userId: string, { route, key }: UploadIdempotency): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        DELETE FROM upload_keys WHERE user_id = ${userId}::uuid AND route = ${route} AND key = ${key}`,
    );
  }

  /** Deletes idempotency keys older than a day, in batches, until the signal aborts. */
  async deleteExpiredKeys(signal?: AbortSignal): Promise<void> {
    await deleteInBatches(
      (limit) =>
        this.prisma.run(
          (client) => client.$executeRaw`
            DELETE FROM upload_keys WHERE (user_id, route, key) IN (
              SELECT user_id, route, key FROM upload_keys
              WHERE created_at <= now() - make_interval(hours => ${UPLOAD_KEY_HOURS}::int)
              ORDER BY created_at LIMIT ${limit})
              AND created_at <= now() - make_interval(hours => ${UPLOAD_KEY_HOURS}::int)`,
        ),
      signal,
    );
  }
}

/** Refuses an upload that does not fit in the storage of its account. */
export class StorageQuotaError extends AppError {
  /** @param quotaBytes size of the quota */
  constructor(quotaBytes: number) {
    super(
      'storage_quota_exceeded',
      `The file does not fit in your storage of ${Math.floor(quotaBytes / 2 ** 20)} MB. Delete files that you no longer need, then upload it again.`,
      { param: 'file', retryable: false },
    );
  }
}

/** Reports that the file of an `Idempotency-Key` has been deleted since its upload. */
export class DeletedUploadError extends NotFoundError {
  /** @param hash SHA-256 of the bytes, which are those of the file */
  constructor(
    key: string,
    readonly hash: Uint8Array,
  ) {
    super('file for the Idempotency-Key', key);
  }
}

/** @throws AppError if the account is deleted, or is disabled and may not be */
async function lockAccount(transaction: Transaction, userId: string, mayBeDisabled: boolean): Promise<void> {
  // Serializes the uploads of an account, which makes its quota exact and lets one of several uploads with the same key
  // create the file. The deletion of an account is requested, which disables it, before its bytes are purged, by an
  // update that waits for this lock: either the rows exist before the purge, which removes their bytes too, or the
  // upload finds the account in this state.
  const [account] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM users
    WHERE id = ${userId}::uuid AND deletion_requested_at IS NULL AND (disabled_at IS NULL OR ${mayBeDisabled})
    FOR NO KEY UPDATE`;
  if (account === undefined)
    throw new AppError('unauthorized', 'The account was disabled during the upload.');
}

/** Returns the file that an earlier upload with the same key created; undefined if there was none within a day. */
async function findReplay(
  transaction: Transaction,
  { userId, hash, idempotency }: NewUpload,
): Promise<StoredFile | undefined> {
  if (idempotency === undefined) return undefined;
  const { route, key, fingerprint } = idempotency;
  await transaction.$executeRaw`
    DELETE FROM upload_keys WHERE user_id = ${userId}::uuid AND route = ${route} AND key = ${key}
      AND created_at <= now() - make_interval(hours => ${UPLOAD_KEY_HOURS}::int)`;
  const [known] = await transaction.$queryRaw<{ fingerprint: Uint8Array; fileId: string | null }[]>`
    SELECT fingerprint, file_id AS "fileId" FROM upload_keys
    WHERE user_id = ${userId}::uuid AND route = ${route} AND key = ${key}`;
  if (known === undefined) return undefined;
  if (!Buffer.from(known.fingerprint).equals(fingerprint)) throw new IdempotencyKeyReusedError();
  const file = known.fileId === null ? undefined : await selectFile(transaction, userId, known.fileId);
  if (file === undefined) throw new DeletedUploadError(key, hash);
  return file;
}

/** Returns the file that was kept for this upload within a day, unless it has been deleted. */
async function findKept(
  transaction: Transaction,
  { userId, repeated }: NewUpload,
): Promise<StoredFile | undefined> {
  if (repeated === undefined) return undefined;
  const { route, key, fingerprint } = repeated;
  const [kept] = await transaction.$queryRaw<{ fileId: string }[]>`
    SELECT file_id AS "fileId" FROM upload_keys
    WHERE user_id = ${userId}::uuid AND route = ${route} AND key = ${key} AND fingerprint = ${fingerprint}
      AND file_id IS NOT NULL AND created_at > now() - make_interval(hours => ${UPLOAD_KEY_HOURS}::int)`;
  return kept && selectFile(transaction, userId, kept.fileId);
}

/** Inserts a content, or locks the one with equal bytes until the commit. Returns its id. */
export async function insertContent(
  transaction: Transaction,
  { contentId, userId, hash, size }: Pick<NewUpload, 'contentId' | 'userId' | 'hash' | 'size'>,
): Promise<string> {
  // DO UPDATE instead of DO NOTHING: it waits for a deletion of the content, and keeps a later one waiting.
  const [content] = await transaction.$queryRaw<{ id: string }[]>`
    INSERT INTO file_contents (id, user_id, hash, size)
    VALUES (${contentId}::uuid, ${userId}::uuid, ${hash}, ${size}::int)
    ON CONFLICT (user_id, hash) DO UPDATE SET size = EXCLUDED.size
    RETURNING id`;
  if (content === undefined) throw new Error('PostgreSQL returned no row for a content.');
  return content.id;
}

/**
 * Failures that may not happen again: after a setting was raised, or on a machine with less load. The others are
 * properties of the bytes.
 */
const RETRIED_FAILURES = [
  'too_large',
  'too_many_pages',
  'timeout',
  'damaged',
] as const satisfies readonly ExtractionFailure[];

/**
 * Inserts the row of a text that is to be extracted, unless there is one. If its extraction failed for a reason that
 * may be gone, it is extracted again.
 */
export async function insertText(
  transaction: Transaction,
  userId: string,
  contentId: string,
  format: TextFormat,
): Promise<void> {
  await transaction.$executeRaw`
    INSERT INTO file_texts (content_id, format, user_id) VALUES (${contentId}::uuid, ${format}, ${userId}::uuid)
    ON CONFLICT (content_id, format) DO UPDATE
    SET status = 'pending', attempts = 0, due_at = now(), error = NULL, created_at = now()
    WHERE file_texts.status = 'failed' AND file_texts.error = ANY(${[...RETRIED_FAILURES]})`;
}

async function insertKey(transaction: Transaction, { userId, id, idempotency }: NewUpload): Promise<void> {
  if (idempotency === undefined) return;
  const { route, key, fingerprint } = idempotency;
  await transaction.$executeRaw`
    INSERT INTO upload_keys (user_id, route, key, fingerprint, file_id)
    VALUES (${userId}::uuid, ${route}, ${key}, ${fingerprint}, ${id}::uuid)`;
}

/** Files of earlier versions have no content until their text is needed; their bytes count too. */
async function selectUsedBytes(client: Pick<Transaction, '$queryRaw'>, userId: string): Promise<number> {
  const [row] = await client.$queryRaw<{ bytes: bigint }[]>`
    SELECT (SELECT COALESCE(sum(size), 0) FROM file_contents WHERE user_id = ${userId}::uuid)::bigint
      + (SELECT COALESCE(sum(size), 0) FROM files WHERE user_id = ${userId}::uuid AND content_id IS NULL)::bigint AS bytes`;
  return Number(row?.bytes ?? 0);
}
