import { Injectable } from '@nestjs/common';
import { FileStorage } from '../../infra/storage/index.js';

/** Removes the stored bytes of a deleted account. */
@Injectable()
export class FileDeletionHook {
  constructor(private readonly storage: FileStorage) {}

  /** Does nothing: uploads in progress find the account disabled when they end, and remove their bytes themselves. */
  stop(): Promise<void> {
    return Promise.resolve();
  }

  /** Deletes the bytes of all files of the account. */
  removeData(userId: string): Promise<void> {
    return this.storage.deleteFolder(userId);
  }
}
