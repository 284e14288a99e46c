import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { FileTooLargeError, NotFoundError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { filesConfig } from '../../config/index.js';
import { type ByteRange, FileStorage } from '../../infra/storage/index.js';
import { ContentWriter } from './content-writer.js';
import { ContentAdoptionRepository, type AdoptedContent } from './content-adoption.repository.js';
import { type FileKey, FileRepository, type FileSlice } from './file.repository.js';
import { toFileName } from './file-name.js';
import type { FilePurpose } from './file-purpose.js';
import type { StoredFile } from './stored-file.js';
import { TextQueue } from './text/text.queue.js';
import {
  type InsertedUpload,
  StorageQuotaError,
  type UploadIdempotency,
  UploadRepository,
} from './upload.repository.js';
import { fingerprintUpload, toKeptIdentity } from './upload-identity.js';
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

/** A file to be downloaded. */
export interface OpenableFile extends StoredFile {
  /**
   * Opens its bytes, or a range of them. The caller must read them to the end or destroy them.
   * @throws NotFoundError if the file has been deleted in the meantime
   */
  readonly open: (range?: ByteRange) => Promise<Readable>;
}

/** Manages uploaded files. */
@Injectable()
export class FileService {
  constructor(
    private readonly files: FileRepository,
    private readonly uploads: UploadRepository,
    private readonly adoption: ContentAdoptionRepository,
    private readonly storage: FileStorage,
    private readonly writer: ContentWriter,
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
    const inserted = await this.writer.store(userId, content, (received, contentId) => {
      const facts = received.facts(declaredType);
      assertType?.(facts.mediaType);
      const options = parseUploadFields(fields, { needsPurpose });
      // The input of a batch is a list of requests, not a document: nobody needs its text.
      const textFormat = options.purpose === 'batch' ? null : facts.textFormat;
      const file = { name: toFileName(name), ...facts, ...options, textFormat };
      const limit = this.maxBytes(file.purpose);
      if (file.size > limit) throw new FileTooLargeError(limit);
      const keyed = idempotency && { ...idempotency, fingerprint: fingerprintUpload(file) };
      const repeated = keptRoute === undefined ? undefined : toKeptIdentity(keptRoute, file);
      return this.uploads.insertUpload(
        { id: newId(), contentId, userId, ...file, idempotency: keyed, repeated },
        this.config.quotaBytes,
      );
    });
    this.announceText(userId, inserted.file);
    return inserted;
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
    await this.uploads.insertKept(userId, id, toKeptIdentity(route, file));
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
    if (adopted.unreferenced !== undefined) await this.writer.remove(adopted.unreferenced);
    return adopted;
  }

  /** Deletes bytes whose rows another feature has deleted. Never rejects: what is left, the sweep deletes. */
  async removeUnreferencedBytes(keys: readonly FileKey[]): Promise<void> {
    for (const key of keys) await this.writer.remove(key);
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
