import { Injectable } from '@nestjs/common';
import { FileStorage } from '../../infra/storage/index.js';

/** The bytes of an account that is deleted. Their rows go with it. */
@Injectable()
export class FilePurge {
  constructor(private readonly storage: FileStorage) {}

  /** Deletes the bytes of all files of the account. */
  purge(userId: string): Promise<void> {
    return this.storage.deleteFolder(userId);
  }
}
