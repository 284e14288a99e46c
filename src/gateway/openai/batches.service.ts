import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { InvalidRequestError, NotFoundError } from '../../common/errors.js';
import { type Batch, BatchService } from '../../features/batches/index.js';
import { FileService } from '../../features/files/index.js';
import { parseBatchId } from './batch-id.js';
import type { BatchCreateBody } from './batches-body.js';
import type { BatchListQuery } from './batches.dto.js';
import { parseFileId } from './file-id.js';

/** The API of these batches: those of the product API are not visible here. */
const API = 'openai';

type Created = Awaited<ReturnType<BatchService['createBatch']>>;

/** The batches of an account by OpenAI's ids. */
@Injectable()
export class OpenAiBatchesService {
  constructor(
    private readonly batches: BatchService,
    private readonly files: FileService,
  ) {}

  /**
   * Creates a batch of the requests in a file, which are validated later.
   * @throws NotFoundError if the file does not exist, InvalidRequestError if it has another purpose
   * @throws AppError as `BatchService.createBatch` does
   */
  async createBatch(
    { userId, apiKeyId }: Caller,
    body: BatchCreateBody,
    key: string | undefined,
  ): Promise<Created> {
    const { endpoint, metadata, output_expires_after: outputExpiry } = body;
    const idempotency = key === undefined ? undefined : { key, fingerprint: fingerprintOf(body) };
    const replay = idempotency && (await this.batches.findReplay({ userId, api: API, ...idempotency }));
    if (replay !== undefined) return { batch: replay, replayed: true };
    const fileId = await this.findInputFile(userId, body.input_file_id);
    return this.batches.createBatch({
      userId,
      apiKeyId,
      api: API,
      endpoint,
      input: { fileId },
      metadata: metadata ?? undefined,
      outputExpiresAfterS: outputExpiry?.seconds,
      idempotency,
    });
  }

  /** @throws NotFoundError */
  async getBatch(userId: string, id: string): Promise<Batch> {
    return withNativeId(id, (native) => this.batches.getBatch({ userId, api: API, id: native }));
  }

  /**
   * Lists batches, newest first, one more than requested if there is another page.
   * @throws InvalidRequestError if `after` is not the id of a batch
   */
  listBatches(userId: string, { limit, after }: BatchListQuery): Promise<Batch[]> {
    return this.batches.listBatches(userId, API, {
      limit: limit + 1,
      after: after === undefined ? undefined : parseCursor(after),
    });
  }

  /** Begins to cancel a batch. Throws what `getBatch` throws. */
  async cancelBatch(userId: string, id: string): Promise<Batch> {
    return withNativeId(id, (native) => this.batches.cancelBatch({ userId, api: API, id: native }));
  }

  /** Returns the native id of the file. */
  private async findInputFile(userId: string, given: string): Promise<string> {
    const file = await this.files.getFile(userId, parseFileId(given)).catch((error: unknown) => {
      throw error instanceof NotFoundError ? new NotFoundError('file', given) : error;
    });
    if (file.purpose === 'batch') return file.id;
    const message = "input_file_id must be a file with the purpose 'batch'";
    throw new InvalidRequestError(`${message}.`, [{ field: 'input_file_id', message }]);
  }
}

/** Returns the digest of everything that a request to create a batch asks for. */
function fingerprintOf({
  input_file_id: fileId,
  endpoint,
  metadata,
  output_expires_after: outputExpiry,
}: BatchCreateBody): Uint8Array<ArrayBuffer> {
  const fields = Object.entries(metadata ?? {}).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const asked = JSON.stringify([fileId, endpoint, fields, outputExpiry?.seconds ?? null]);
  return Uint8Array.from(createHash('sha256').update(asked).digest());
}

function parseCursor(after: string): string {
  try {
    return parseBatchId(after);
  } catch {
    const message = 'after must be the id of a batch';
    throw new InvalidRequestError(`${message}.`, [{ field: 'after', message }]);
  }
}

/** Runs work with the native id of a batch. An error names the id that the client sent. */
async function withNativeId<Result>(given: string, work: (id: string) => Promise<Result>): Promise<Result> {
  try {
    return await work(parseBatchId(given));
  } catch (error) {
    throw error instanceof NotFoundError ? new NotFoundError('batch', given) : error;
  }
}
