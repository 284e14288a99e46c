import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { AppError, NotFoundError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { filesConfig } from '../../config/index.js';
import { FileStorage } from '../../infra/storage/index.js';
import { FileRepository, type StoredFile } from './file.repository.js';
import { toFileName } from './file-name.js';
import { ReceivedBytes } from './received-bytes.js';

/** A file to be uploaded. */
export interface NewFile {
  /** Name given by the client; untrusted. */
  readonly name: string;
  /** Media type declared by the client. */
  readonly declaredType: string;
  /** Contents. Throws if the upload does not complete. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Manages uploaded files. */
@Injectable()
export class FileService {
  constructor(
    private readonly files: FileRepository,
    private readonly storage: FileStorage,
    @Inject(filesConfig.KEY) private readonly config: ConfigType<typeof filesConfig>,
  ) {}

  /** Maximum size of a file, in bytes. */
  get maxBytes(): number {
    return this.config.maxUploadMb * 2 ** 20;
  }

  /**
   * Stores a file: first its bytes, then its row, so that every listed file can be read.
   * @throws InvalidRequestError if it is empty
   * @throws AppError `unauthorized` if its account was disabled in the meantime
   * @throws the error of reading its bytes
   */
  async create(userId: string, { name, declaredType, bytes }: NewFile): Promise<StoredFile> {
    const id = newId();
    const received = new ReceivedBytes();
    await this.storage.put({ folder: userId, name: id }, received.passThrough(bytes));
    try {
      const file = { id, userId, name: toFileName(name), ...received.facts(declaredType) };
      const stored = await this.files.insert(file);
      if (stored !== undefined) return stored;
      throw new AppError('unauthorized', 'The account was disabled during the upload.');
    } catch (error) {
      // If the database became unavailable, the row may exist anyway; the sweep checks once it is back.
      const unknown = error instanceof AppError && error.code === 'service_unavailable';
      if (!unknown) await this.storage.delete({ folder: userId, name: id });
      throw error;
    }
  }

  /** Lists files, newest first. */
  list(
    userId: string,
    slice: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredFile[]> {
    return this.files.list(userId, slice);
  }

  /** @throws NotFoundError */
  async get(userId: string, id: string): Promise<StoredFile> {
    const file = await this.files.find(userId, id);
    if (file === null) throw new NotFoundError('file', id);
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
    return buffer((await this.open(userId, id)).bytes);
  }

  /**
   * Opens a file. The caller must read its bytes to the end or destroy them.
   * @throws NotFoundError
   */
  async open(userId: string, id: string): Promise<{ readonly file: StoredFile; readonly bytes: Readable }> {
    const file = await this.get(userId, id);
    try {
      return { file, bytes: await this.storage.open({ folder: userId, name: id }) };
    } catch (error) {
      // It may have been deleted between the two reads.
      await this.get(userId, id);
      throw error;
    }
  }

  /**
   * Deletes a file, its row first: an interrupted deletion leaves only invisible bytes, which the sweep deletes.
   * @throws NotFoundError
   */
  async delete(userId: string, id: string): Promise<void> {
    if (!(await this.files.delete(userId, id))) throw new NotFoundError('file', id);
    await this.storage.delete({ folder: userId, name: id });
  }
}
