import { join } from 'node:path';
import { type DynamicModule, Module } from '@nestjs/common';
import type { S3Config } from '../../config/index.js';
import { FileStorage } from './file-storage.js';
import { FolderStorage } from './folder-storage.js';

interface StorageOptions {
  readonly dataDir: string;
  /** Undefined to store files in a folder of `dataDir`. */
  readonly s3: S3Config | undefined;
}

/** Provides the storage of file contents: the bucket of `S3_BUCKET`, otherwise a folder of `DATA_DIR`. */
@Module({})
export class StorageModule {
  static forRoot(options: StorageOptions): DynamicModule {
    return {
      module: StorageModule,
      global: true,
      providers: [{ provide: FileStorage, useFactory: () => createStorage(options) }],
      exports: [FileStorage],
    };
  }
}

async function createStorage({ dataDir, s3 }: StorageOptions): Promise<FileStorage> {
  if (s3 === undefined) return new FolderStorage(join(dataDir, 'files'));
  // Loaded only if it is needed, because the SDK takes a while.
  const { S3Storage } = await import('./s3-storage.js');
  return new S3Storage(s3);
}
