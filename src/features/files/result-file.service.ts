import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { ContentWriter } from './content-writer.js';
import type { ResultPurpose } from './file-purpose.js';
import type { StoredFile } from './stored-file.js';
import { fingerprintUpload } from './upload-identity.js';
import { UploadRepository } from './upload.repository.js';

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

/** Maximum size of a file that the server makes, in bytes. */
const MAX_RESULT_BYTES = 2 ** 31 - 1;

/** Stores files that the server makes, such as the results of a batch. */
@Injectable()
export class ResultFileService {
  constructor(
    private readonly uploads: UploadRepository,
    private readonly writer: ContentWriter,
  ) {}

  /**
   * Stores a file that the server makes for an account. It counts towards the storage quota, but is never refused
   * because of it: its contents have been paid for. A disabled account gets it as well.
   * @throws AppError `unauthorized` if the account is being deleted
   * @throws the error of making its bytes
   */
  async createResult(userId: string, result: ResultFile): Promise<StoredFile> {
    const { name, mediaType, purpose, bytes, expiresAfterS, key } = result;
    const { file } = await this.writer.store(
      userId,
      { bytes, maxBytes: MAX_RESULT_BYTES },
      (received, contentId) => {
        const { size, hash } = received.facts(mediaType);
        const options = { name, mediaType, purpose, expiresAfterS };
        const idempotency = { route: purpose, key, fingerprint: fingerprintUpload({ ...options, hash }) };
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
            madeByServer: true,
          },
          undefined,
        );
      },
    );
    return file;
  }
}
