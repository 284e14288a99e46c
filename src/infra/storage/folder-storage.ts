import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ByteRange, FileStorage, type StorageKey } from './file-storage.js';
import { MissingContentError } from './storage-errors.js';
import { checkedKeyPart, isKeyPart } from './storage-key.js';

/** Stores files in a local folder: a subfolder for each folder of a key, a file for each name. */
export class FolderStorage extends FileStorage {
  /** @param root absolute path; created when needed */
  constructor(private readonly root: string) {
    super();
  }

  override async put(key: StorageKey, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const path = this.pathOf(key);
    await mkdir(this.folderOf(key.folder), { recursive: true, mode: 0o700 });
    // Opened before anything can fail: if a file is deleted while it is still being opened, it would be created
    // afterwards.
    const handle = await open(path, 'wx', 0o600);
    try {
      // Flushed before the upload is complete: the database row that follows must not survive a power failure without
      // the content.
      await pipeline(bytes, handle.createWriteStream({ flush: true }));
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  override async open(key: StorageKey, range?: ByteRange): Promise<Readable> {
    const handle = await open(this.pathOf(key)).catch(ignoreMissing);
    if (handle === undefined) throw new MissingContentError();
    return handle.createReadStream(range);
  }

  override async delete(key: StorageKey): Promise<void> {
    await rm(this.pathOf(key), { force: true });
  }

  override async deleteFolder(folder: string): Promise<void> {
    await rm(this.folderOf(folder), { recursive: true, force: true });
  }

  override async *keysBefore(time: number): AsyncGenerator<StorageKey> {
    const failures: unknown[] = [];
    for (const { name: folder, isFile } of await entriesOf(this.root)) {
      if (isFile) continue;
      try {
        for (const { name } of await entriesOf(this.folderOf(folder))) {
          const facts = await stat(this.pathOf({ folder, name })).catch(ignoreMissing);
          if (facts?.isFile() === true && facts.mtimeMs < time) yield { folder, name };
        }
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Not all stored files could be listed.');
  }

  /** Does nothing: unfinished uploads are under their keys, which {@link keysBefore} lists. */
  override removeUnfinishedUploads(): Promise<number> {
    return Promise.resolve(0);
  }

  private folderOf(folder: string): string {
    return join(this.root, checkedKeyPart(folder));
  }

  private pathOf({ folder, name }: StorageKey): string {
    return join(this.folderOf(folder), checkedKeyPart(name));
  }
}

/**
 * Returns the valid entries of a folder; nothing if it does not exist, because it is created when needed.
 * @throws the system's error if the folder cannot be read: it may not be empty
 */
async function entriesOf(path: string): Promise<{ readonly name: string; readonly isFile: boolean }[]> {
  const entries = (await readdir(path, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
  return entries
    .filter(({ name }) => isKeyPart(name))
    .map((entry) => ({ name: entry.name, isFile: entry.isFile() }));
}

/** Ignores that an entry is missing: it may have been deleted since it was listed. */
function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
