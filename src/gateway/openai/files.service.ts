import { Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../common/errors.js';
import { FileService, type StoredFile } from '../../features/files/index.js';
import type { UploadForm } from '../../http/index.js';
import { parseFileId } from './file-id.js';
import type { FileListQuery } from './files.dto.js';

/** Route of uploads, in which their idempotency keys count. */
const UPLOAD_ROUTE = 'POST /v1/files';

type Created = Awaited<ReturnType<FileService['create']>>;
type Download = Awaited<ReturnType<FileService['getDownload']>>;

/** The files of an account by OpenAI's ids. */
@Injectable()
export class OpenAiFilesService {
  constructor(private readonly files: FileService) {}

  /** Stores the file of a form, whose purpose is required. Throws what `FileService.create` throws. */
  upload(userId: string, form: UploadForm, key: string | undefined): Promise<Created> {
    const idempotency = key === undefined ? undefined : { route: UPLOAD_ROUTE, key };
    return form.receive({ ...this.files.formParts, ignoresOthers: true }, (file) =>
      this.files.create(userId, file, { idempotency, needsPurpose: true }),
    );
  }

  /**
   * Lists files, one more than requested if there is another page.
   * @throws InvalidRequestError if `after` is not the id of a file
   */
  listFiles(userId: string, { limit, order, after, purpose }: FileListQuery): Promise<StoredFile[]> {
    return this.files.listFiles(userId, {
      limit: limit + 1,
      order,
      after: after === undefined ? undefined : parseCursor(after),
      purpose,
    });
  }

  /** @throws NotFoundError */
  async getFile(userId: string, id: string): Promise<StoredFile> {
    return withOpenAiId(id, (native) => this.files.getFile(userId, native));
  }

  /** @throws NotFoundError */
  async getDownload(userId: string, id: string): Promise<Download> {
    return withOpenAiId(id, (native) => this.files.getDownload(userId, native));
  }

  /** @throws NotFoundError */
  async delete(userId: string, id: string): Promise<void> {
    return withOpenAiId(id, (native) => this.files.delete(userId, native));
  }
}

function parseCursor(after: string): string {
  try {
    return parseFileId(after);
  } catch {
    const message = 'after must be the id of a file';
    throw new InvalidRequestError(`${message}.`, [{ field: 'after', message }]);
  }
}

/** Runs work with the native id of a file. An error names the id that the client sent. */
async function withOpenAiId<Result>(given: string, work: (id: string) => Promise<Result>): Promise<Result> {
  try {
    return await work(parseFileId(given));
  } catch (error) {
    throw error instanceof NotFoundError ? new NotFoundError('file', given) : error;
  }
}
