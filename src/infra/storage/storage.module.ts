import { join } from 'node:path';
import { type DynamicModule, Module } from '@nestjs/common';
import { FileStorage } from './file-storage.js';
import { FolderStorage } from './folder-storage.js';

/** Provides the storage of file contents: a folder of `DATA_DIR`. */
@Module({})
export class StorageModule {
  static forRoot({ dataDir }: { readonly dataDir: string }): DynamicModule {
    return {
      module: StorageModule,
      global: true,
      providers: [{ provide: FileStorage, useFactory: () => new FolderStorage(join(dataDir, 'files')) }],
      exports: [FileStorage],
    };
  }
}
