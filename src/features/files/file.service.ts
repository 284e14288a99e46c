import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { AppError, FileTooLargeError, NotFoundError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { filesConfig } from '../../config/index.js';
import { type ByteRange, FileStorage } from '../../infra/storage/index.js';
import { ContentAdoptionRepository, type AdoptedContent } from './content-adoption.repository.js';
import { type FileKey, FileRepository, type FileSlice } from './file.repository.js';
import { toFileName } from './file-name.js';
import type { FilePurpose, ResultPurpose } from './file-purpose.js';
import { ReceivedBytes } from './received-bytes.js';
import type { StoredFile } from './stored-file.js';
import { TextQueue } from './text/text.queue.js';
import {
  type InsertedUpload,
  StorageQuotaError,
  type UploadIdempotency,
  type UploadIdentity,
  UploadRepository,
} from './upload.repository.js';
import { parsePurpose, parseUploadFields, UPLOAD_FIELDS } from './upload-fields.js';

/** A file to be uploaded. */
export interface NewFile {
  /** Name given by the client; untrusted. */
  readonly name: string;
  /** Media type declared by the client. */
  readonly declaredType: string;
  /** Bounds of its size, in bytes; undefined if the client declares none. */
  readonly declaredSize: { readonly min: number; readonly max: number } | undefined;
  /** Text fields of the upload, by name. Complete once the bytes have been read. */
  readonly fields: ReadonlyMap<string, string>;
  /** Contents. Throws if the upload does not complete. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Aborts when the bytes are no longer sent; its reason is the error. Undefined if they are in memory. */
  readonly signal?: AbortSignal;
}

/** Conditions of an upload that depend on its route. */
export interface UploadConditions {
  readonly idempotency?: UploadIdempotency | undefined;
  /** Route whose requests keep files for their repetition, by `keepForRepeat`. */
  readonly keptRoute?: string | undefined;
  /** True if the form must have a purpose. */
  readonly needsPurpose?: boolean;
  /** Throws to refuse a file of a media type. Nothing of it is then stored. */
  readonly assertType?: (mediaType: string) => void;
}

/** A file that the server itself makes for an account. */
export interface ResultFile {
  readonly name: string;
  readonly mediaType: string;
  readonly purpose: ResultPurpose;
  /** Contents. Throws if they cannot be made. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Lifetime in seconds; undefined if the file does not expire. */
  readonly expiresAfterS: number | undefined;
  /** Identifies the file among those made for the account within a day: with the same key and bytes it is made once. */
  readonly key: string;
}

/** Bytes to be stored. */
interface NewContent {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Maximum number of bytes. */
  readonly maxBytes: number;
  /** Maximum number of bytes that the client has declared. */
  readonly expectedBytes?: number | undefined;
  /** Aborts when the bytes will not be complete. */
  readonly signal?: AbortSignal | undefined;
}

/** A file to be downloaded. */
export interface OpenableFile extends StoredFile {
  /**
   * Opens its bytes, or a range of them. The caller must read them to the end or destroy them.
   * @throws NotFoundError if the file has been deleted in the meantime
   */
  readonly open: (range?: ByteRange) => Promise<Readable>;
}

/** Maximum size of a file that the server makes, in bytes. */
const MAX_RESULT_BYTES = 2 ** 31 - 1;

/** Manages uploaded files. */
@Injectable()
export class FileService {
  private readonly logger = new Logger(FileService.name);

  constructor(
    private readonly files: FileRepository,
    private readonly uploads: UploadRepository,
    private readonly adoption: ContentAdoptionRepository,
    private readonly storage: FileStorage,
    @Inject(TextQueue) private readonly texts: Pick<TextQueue, 'announce'>,
    @Inject(filesConfig.KEY) private readonly config: ConfigType<typeof filesConfig>,
  ) {}

  /** Parts of an upload form. Its purpose may come after the file, so the limit is that of the largest purpose. */
  get formParts(): {
    readonly field: string;
    readonly maxBytes: number;
    readonly textFields: readonly string[];
  } {
    return { field: 'file', maxBytes: this.maxBytes(undefined), textFields: UPLOAD_FIELDS };
  }

  /**
   * Stores a file: first its bytes, then its rows, so that every listed file can be read. Equal bytes of an account are
   * kept once.
   * @throws InvalidRequestError if it is empty, or a field is invalid
   * @throws FileTooLargeError if it exceeds the limit of its purpose
   * @throws AppError `unauthorized` if its account was disabled in the meantime, `storage_quota_exceeded`
   * @throws IdempotencyKeyReusedError
   * @throws DeletedUploadError if the file of the key has been deleted
   * @throws the error of reading its bytes
   */
  async create(
    userId: string,
    { name, declaredType, declaredSize, fields, bytes, signal }: NewFile,
    conditions: UploadConditions = {},
  ): Promise<InsertedUpload> {
    const { idempotency, keptRoute, needsPurpose = false, assertType } = conditions;
    const maxBytes = this.maxBytes(parsePurpose(fields));
    if (declaredSize !== undefined) await this.assertFits(userId, declaredSize);
    const content = { bytes, maxBytes, expectedBytes: declaredSize?.max, signal };
    const inserted = await this.store(userId, content, (received, contentId) => {
      const facts = received.facts(declaredType);
      assertType?.(facts.mediaType);
      const options = parseUploadFields(fields, { needsPurpose });
      // The input of a batch is a list of requests, not a document: nobody needs its text.
      const textFormat = options.purpose === 'batch' ? null : facts.textFormat;
      const file = { name: toFileName(name), ...facts, ...options, textFormat };
      const limit = this.maxBytes(file.purpose);
      if (file.size > limit) throw new FileTooLargeError(limit);
      const keyed = idempotency && { ...idempotency, fingerprint: fingerprintOf(file) };
      const repeated = keptRoute === undefined ? undefined : keptIdentityOf(keptRoute, file);
      return this.uploads.insertUpload(
        { id: newId(), contentId, userId, ...file, idempotency: keyed, repeated },
        this.config.quotaBytes,
      );
    });
    this.announceText(userId, inserted.file);
    return inserted;
  }

  /**
   * Stores a file that the server makes for an account. It counts towards the storage quota, but is never refused
   * because of it: its contents have been paid for.
   * @throws AppError `unauthorized` if the account was disabled in the meantime
   * @throws the error of making its bytes
   */
  async createResult(userId: string, result: ResultFile): Promise<StoredFile> {
    const { name, mediaType, purpose, bytes, expiresAfterS, key } = result;
    const { file } = await this.store(
      userId,
      { bytes, maxBytes: MAX_RESULT_BYTES },
      (received, contentId) => {
        const { size, hash } = received.facts(mediaType);
        const options = { name, mediaType, purpose, expiresAfterS };
        const idempotency = { route: purpose, key, fingerprint: fingerprintOf({ ...options, hash }) };
        return this.uploads.insertUpload(
          {
            id: newId(),
            contentId,
            userId,
            size,
            hash,
            textFormat: null,
            ...options,
            idempotency,
            repeated: undefined,
          },
          undefined,
        );
      },
    );
    return file;
  }

  /** Stores bytes, then their rows. If those are not stored, or need other bytes, the bytes are removed again. */
  private async store(
    userId: string,
    content: NewContent,
    insertRows: (received: ReceivedBytes, contentId: string) => Promise<InsertedUpload>,
  ): Promise<InsertedUpload> {
    const contentId = newId();
    const received = new ReceivedBytes();
    const { bytes, maxBytes, expectedBytes = maxBytes, signal } = content;
    await this.storage.put({ folder: userId, name: contentId }, received.passThrough(bytes, maxBytes), {
      signal,
      maxBytes: Math.min(maxBytes, expectedBytes),
    });
    let isNeeded = false;
    try {
      const inserted = await insertRows(received, contentId);
      isNeeded = inserted.file.contentId === contentId;
      return inserted;
    } catch (error) {
      // If the database became unavailable, the rows may exist anyway; the sweep checks once it is back.
      isNeeded = error instanceof AppError && error.code === 'service_unavailable';
      throw error;
    } finally {
      if (!isNeeded) await this.removeBytes({ folder: userId, name: contentId });
    }
  }

  /** Announces the text of a new file, after the commit of its rows. */
  private announceText(userId: string, { contentId, textFormat, text }: StoredFile): void {
    if (textFormat !== null && text.status === 'pending')
      this.texts.announce([{ userId, contentId, format: textFormat }]);
  }

  /** Lists files, newest first unless the slice has another order. */
  listFiles(userId: string, slice: FileSlice): Promise<StoredFile[]> {
    return this.files.listFiles(userId, slice);
  }

  /** @throws NotFoundError */
  async getFile(userId: string, id: string): Promise<StoredFile> {
    const file = await this.files.findFile(userId, id);
    if (file === undefined) throw new NotFoundError('file', id);
    return file;
  }

  /** Returns the files that exist, in no particular order. */
  getAll(userId: string, ids: readonly string[]): Promise<StoredFile[]> {
    return ids.length === 0 ? Promise.resolve([]) : this.files.findAll(userId, ids);
  }

  /**
   * Reads a whole file at once: only for files that are known to be small enough.
   * @throws NotFoundError
   */
  async read(userId: string, id: string): Promise<Buffer> {
    return buffer(await (await this.getDownload(userId, id)).open());
  }

  /** @throws NotFoundError */
  async getDownload(userId: string, id: string): Promise<OpenableFile> {
    const file = await this.getFile(userId, id);
    return { ...file, open: (range) => this.openBytes(userId, file, range) };
  }

  /**
   * Deletes a file, its rows first: an interrupted deletion leaves only invisible bytes, which the sweep deletes.
   * @throws NotFoundError
   */
  async delete(userId: string, id: string): Promise<void> {
    const unreferenced = await this.files.deleteFile(userId, id);
    if (unreferenced === undefined) throw new NotFoundError('file', id);
    await this.removeUnreferencedBytes(unreferenced);
  }

  /**
   * Keeps the file of a request that was refused and has no `Idempotency-Key`: an upload of the same bytes and name on
   * the route returns this file, so that each repetition adds no further one. It does not expire.
   * @throws NotFoundError
   */
  async keepForRepeat(userId: string, id: string, route: string): Promise<void> {
    const file = await this.getFile(userId, id);
    await this.uploads.insertKept(userId, id, keptIdentityOf(route, file));
  }

  /** Forgets the `Idempotency-Key` of an upload, whose file was not needed: a repeated request is a new one. */
  forgetUploadKey(userId: string, { route, key }: UploadIdempotency): Promise<void> {
    return this.uploads.deleteKey(userId, { route, key });
  }

  /**
   * Makes sure that a file has a content and a job that extracts its text, which files of earlier versions lack.
   * @throws NotFoundError
   */
  async adoptContent(userId: string, id: string): Promise<Omit<AdoptedContent, 'unreferenced'>> {
    const adopted = await this.adoption.adoptContent(userId, id);
    if (adopted === undefined) throw new NotFoundError('file', id);
    if (adopted.unreferenced !== undefined) await this.removeBytes(adopted.unreferenced);
    return adopted;
  }

  /** Deletes bytes whose rows another feature has deleted. Never rejects: what is left, the sweep deletes. */
  async removeUnreferencedBytes(keys: readonly FileKey[]): Promise<void> {
    for (const key of keys) await this.removeBytes(key);
  }

  /** Deletes bytes that no row references. Never rejects: what is left, the sweep deletes. */
  private async removeBytes(key: FileKey): Promise<void> {
    await this.storage.delete(key).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'could not delete the bytes of a file; the sweep will delete them');
    });
  }

  /** Returns the maximum size of a file, in bytes. */
  maxBytes(purpose: FilePurpose | undefined): number {
    const { maxUploadMb, maxBatchInputMb } = this.config;
    const limits = { batch: maxBatchInputMb, unknown: Math.max(maxUploadMb, maxBatchInputMb) };
    return (
      (purpose === 'batch' ? limits.batch : purpose === undefined ? limits.unknown : maxUploadMb) * 2 ** 20
    );
  }

  /**
   * Refuses a file that cannot fit in the storage quota, before its bytes are read. Bytes that the account already has
   * need no space.
   */
  private async assertFits(
    userId: string,
    { min, max }: { readonly min: number; readonly max: number },
  ): Promise<void> {
    const { quotaBytes } = this.config;
    if (quotaBytes === undefined || (await this.uploads.readUsedBytes(userId)) + min <= quotaBytes) return;
    if (!(await this.uploads.hasContentOfSize(userId, min, max))) throw new StorageQuotaError(quotaBytes);
  }

  private async openBytes(userId: string, file: StoredFile, range: ByteRange | undefined): Promise<Readable> {
    try {
      return await this.storage.open({ folder: userId, name: file.contentId }, range);
    } catch (error) {
      // Since it was read from the database, the file may have been deleted, or been given a content of equal bytes.
      const { contentId } = await this.getFile(userId, file.id);
      if (contentId === file.contentId) throw error;
      return this.storage.open({ folder: userId, name: contentId }, range);
    }
  }
}

/** Properties by which the files of two uploads differ. */
interface UploadFacts {
  readonly name: string;
  readonly mediaType: string;
  readonly hash: Uint8Array;
  readonly purpose: string;
  readonly expiresAfterS?: number | undefined;
}

/** Returns the identity of an upload for its idempotency key. */
function fingerprintOf(file: UploadFacts): Uint8Array<ArrayBuffer> {
  const { name, mediaType, hash, purpose, expiresAfterS } = file;
  const fields = [name, mediaType, Buffer.from(hash).toString('hex'), purpose, expiresAfterS ?? null];
  return new Uint8Array(createHash('sha256').update(JSON.stringify(fields)).digest());
}

/** Returns the identity of an upload without a key of the client. No client's key has its route. */
function keptIdentityOf(route: string, file: UploadFacts): UploadIdentity {
  const fingerprint = fingerprintOf(file);
  return { route: `${route}, kept`, key: Buffer.from(fingerprint).toString('hex'), fingerprint };
}
