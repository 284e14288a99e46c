import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderStorage } from '../../src/infra/storage/folder-storage.js';
import type { FileStorage, StorageKey } from '../../src/infra/storage/index.js';
import { S3Storage } from '../../src/infra/storage/s3-storage.js';
import { createTestBucket } from './s3-server.js';
import { S3Proxy } from './s3-proxy.js';
import { setUpResource } from './set-up.js';

/** The store of an application's files as a test sees it from outside. */
export interface TestFileStore {
  /** Environment variables of an application that stores its files there. */
  readonly settings: Readonly<Record<string, string>>;
  /** The storage of another process. */
  readonly storage: FileStorage;
  /** Makes each deletion of a key fail until it is allowed again. Its content need not exist, and may be lost. */
  refuseDeletion(key: StorageKey): Promise<void>;
  allowDeletion(key: StorageKey): Promise<void>;
}

interface Opened {
  readonly resource: TestFileStore;
  readonly close: () => unknown;
}

async function openFolder(): Promise<Opened> {
  const path = await mkdtemp(join(tmpdir(), 'parley-files-'));
  const root = join(path, 'files');
  const pathOf = ({ folder, name }: StorageKey): string => join(root, folder, name);
  return {
    resource: {
      settings: { DATA_DIR: path },
      storage: new FolderStorage(root),
      // A folder with something in it cannot be deleted as a file.
      refuseDeletion: async (key) => {
        await rm(pathOf(key), { force: true });
        await mkdir(join(pathOf(key), 'in it'), { recursive: true });
      },
      allowDeletion: (key) => rm(pathOf(key), { recursive: true }),
    },
    close: () => rm(path, { recursive: true }),
  };
}

async function openBucket(): Promise<Opened> {
  const { config, client, settings } = await createTestBucket();
  const proxy = await S3Proxy.start(config.endpoint);
  const storage = new S3Storage({ ...config, endpoint: proxy.url });
  const refused = new Set<string>();
  proxy.fault = (line) =>
    line.startsWith('DELETE ') && [...refused].some((name) => line.includes(name))
      ? { status: 403 }
      : undefined;
  return {
    resource: {
      settings: { ...settings, S3_ENDPOINT: proxy.url },
      storage,
      refuseDeletion: async ({ name }) => {
        refused.add(name);
      },
      allowDeletion: async ({ name }) => {
        refused.delete(name);
      },
    },
    close: async () => {
      storage.onApplicationShutdown();
      client.destroy();
      await proxy.close();
    },
  };
}

/** Sets up the store of the run: a folder in the first run, and a bucket in the second, which has other stores. */
export function setUpFileStore(): () => TestFileStore {
  return setUpResource(process.env['TEST_FILE_STORE'] === 's3' ? openBucket : openFolder);
}

/** Returns the names of all that a store has in a folder, in order. */
export async function storedNames({ storage }: TestFileStore, folder: string): Promise<string[]> {
  const keys = await Array.fromAsync(storage.keysBefore(Date.now() + 60_000));
  return keys
    .filter((key) => key.folder === folder)
    .map(({ name }) => name)
    .sort();
}

/** Moves bytes to another name of the same folder. */
export async function renameStored(
  { storage }: TestFileStore,
  { folder, name }: StorageKey,
  newName: string,
): Promise<void> {
  await storage.put({ folder, name: newName }, await storage.open({ folder, name }));
  await storage.delete({ folder, name });
}
