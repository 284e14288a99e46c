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

/** A file that somebody sends. */
export interface NewFile {
  /** As its sender calls it, or anything. */
  readonly name: string;
  /** What its sender says that it is. */
  readonly declaredType: string;
  /** Throws where they do not come to a good end. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Files that users upload. */
@Injectable()
export class FileService {
  constructor(
    private readonly files: FileRepository,
    private readonly storage: FileStorage,
    @Inject(filesConfig.KEY) private readonly config: ConfigType<typeof filesConfig>,
  ) {}

  /** The largest file that is taken, in bytes. */
  get maxBytes(): number {
    return this.config.maxUploadMb * 2 ** 20;
  }

  /**
   * Stores a file: its bytes first and its row last, so that a file which can be seen can be read.
   * @throws InvalidRequestError where it is empty, AppError `unauthorized` where its account was disabled meanwhile, and
   *   whatever its bytes throw
   */
  async create(userId: string, { name, declaredType, bytes }: NewFile): Promise<StoredFile> {
    const id = newId();
    const received = new ReceivedBytes();
    await this.storage.put({ folder: userId, name: id }, received.passing(bytes));
    try {
      const file = { id, userId, name: toFileName(name), ...received.facts(declaredType) };
      const stored = await this.files.insert(file);
      if (stored !== undefined) return stored;
      throw new AppError('unauthorized', 'The account was disabled while the file came.');
    } catch (error) {
      // Where the database went away the row may be there all the same; the sweep knows when it is back.
      const unknown = error instanceof AppError && error.code === 'service_unavailable';
      if (!unknown) await this.storage.delete({ folder: userId, name: id });
      throw error;
    }
  }

  /** Newest first. */
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

  /** Those of the files that are there, in no order. */
  getAll(userId: string, ids: readonly string[]): Promise<StoredFile[]> {
    return ids.length === 0 ? Promise.resolve([]) : this.files.findAll(userId, ids);
  }

  /**
   * The bytes of a file, all at once: only for files that are known to be small enough.
   * @throws NotFoundError
   */
  async read(userId: string, id: string): Promise<Buffer> {
    return buffer((await this.open(userId, id)).bytes);
  }

  /**
   * A file and its bytes, which whoever asks reads to the end or destroys.
   * @throws NotFoundError
   */
  async open(userId: string, id: string): Promise<{ readonly file: StoredFile; readonly bytes: Readable }> {
    const file = await this.get(userId, id);
    try {
      return { file, bytes: await this.storage.open({ folder: userId, name: id }) };
    } catch (error) {
      // Somebody may have deleted it between the two looks.
      await this.get(userId, id);
      throw error;
    }
  }

  /**
   * Deletes a file. Its row goes first: what is left of one that is broken off is bytes that nobody can see, and swept.
   * @throws NotFoundError
   */
  async delete(userId: string, id: string): Promise<void> {
    if (!(await this.files.delete(userId, id))) throw new NotFoundError('file', id);
    await this.storage.delete({ folder: userId, name: id });
  }
}
