import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { untilAborted } from '../../common/until-aborted.js';
import type { PutOptions } from './file-storage.js';
import type { PartMemory } from './part-memory.js';
import { callStore, SlowUploadError, StorageRequestError } from './storage-errors.js';
import { PART_BYTES, UploadPart } from './upload-part.js';

/** One object in a bucket. */
interface StoredObject {
  readonly Bucket: string;
  readonly Key: string;
}

/**
 * Stores one object, in parts if it has more than one. A part is received while the one before it is sent. Bytes are
 * only read if there is memory for them, so that a client that sends faster waits.
 */
export class S3Upload {
  private part = new UploadPart();
  private uploadId: string | undefined;
  private readonly parts: CompletedPart[] = [];
  private partCount = 0;
  private size = 0;
  /** The part that is being sent. Never rejects. */
  private sending: Promise<void> = Promise.resolve();
  private failure: { readonly error: unknown } | undefined;
  private readonly abandonment = new AbortController();
  /** True once the store may have the object, even if it answers with an error. */
  private mayExist = false;

  /** @param folder owner of the memory */
  constructor(
    private readonly client: S3Client,
    private readonly object: StoredObject,
    private readonly memory: PartMemory,
    private readonly folder: string,
  ) {}

  /**
   * Stores all bytes, or nothing of them.
   * @throws the error of the bytes, the signal's reason, SlowUploadError, StorageUnavailableError, StorageRequestError
   */
  async store(bytes: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    const source = bytes[Symbol.asyncIterator]();
    try {
      for (let piece = await this.read(source); piece !== undefined; piece = await this.read(source))
        await this.add(piece, options);
      await this.finish();
    } catch (error) {
      this.part.release();
      // Not awaited: a client that sends nothing would keep it waiting.
      source.return?.().catch(() => undefined);
      await this.abandon();
      throw error;
    } finally {
      this.part.release();
    }
  }

  /** Returns the next bytes; undefined at the end. */
  private async read(source: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
    const { revoked } = this.part;
    const next = source.next();
    if (revoked !== undefined) {
      next.catch(() => undefined);
      await untilAborted(next, revoked);
      if (revoked.aborted) throw new SlowUploadError();
    }
    const result = await next;
    this.throwFailure();
    return result.done === true ? undefined : result.value;
  }

  private async add(piece: Uint8Array, options: PutOptions): Promise<void> {
    const { signal = new AbortController().signal, maxBytes = Infinity } = options;
    for (let rest = piece; rest.length > 0;) {
      if (this.part.needsLease(rest.length)) {
        // A file that is known to be small needs little.
        const most = Math.max(0, Math.min(PART_BYTES, maxBytes - this.partCount * PART_BYTES));
        this.part.useLease(await this.memory.acquire(this.folder, most, signal));
      }
      const before = rest.length;
      rest = this.part.add(rest);
      this.size += before - rest.length;
      if (this.part.isFull) await this.beginPart();
      else if (rest.length > 0) throw new Error('A content has more bytes than was declared.');
    }
  }

  /** Begins to send the part that was received, after the one before it. */
  private async beginPart(): Promise<void> {
    this.part.endReceiving();
    await this.sending;
    this.throwFailure();
    this.uploadId ??= await this.createUpload();
    const { part } = this;
    this.part = new UploadPart();
    this.sending = this.sendPart(part, this.uploadId, (this.partCount += 1));
  }

  private async createUpload(): Promise<string> {
    const { UploadId: id } = await callStore('CreateMultipartUpload', () =>
      this.client.send(new CreateMultipartUploadCommand(this.object)),
    );
    if (id === undefined) throw noField('CreateMultipartUpload', 'UploadId');
    return id;
  }

  private async sendPart(part: UploadPart, UploadId: string, PartNumber: number): Promise<void> {
    try {
      const command = new UploadPartCommand({ ...this.object, UploadId, PartNumber, Body: part.content });
      const { ETag } = await callStore('UploadPart', () =>
        this.client.send(command, { abortSignal: this.abandonment.signal }),
      );
      if (ETag === undefined) throw noField('UploadPart', 'ETag');
      this.parts.push({ ETag, PartNumber });
    } catch (error) {
      this.failure ??= { error };
    } finally {
      part.release();
    }
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }

  private async finish(): Promise<void> {
    if (this.uploadId === undefined) {
      this.part.endReceiving();
      this.mayExist = true;
      // Without `IfNoneMatch`: keys are new UUIDs, not every store knows it, and if the response of a PUT is lost, the
      // SDK's second attempt would be refused because of the first.
      const command = new PutObjectCommand({ ...this.object, Body: this.part.content });
      await callStore('PutObject', () => this.client.send(command));
      return;
    }
    if (this.part.length > 0) await this.beginPart();
    await this.sending;
    this.throwFailure();
    await this.completeUpload(this.uploadId);
  }

  private async completeUpload(UploadId: string): Promise<void> {
    this.mayExist = true;
    const command = new CompleteMultipartUploadCommand({
      ...this.object,
      UploadId,
      MultipartUpload: { Parts: this.parts },
    });
    await callStore('CompleteMultipartUpload', () => this.client.send(command)).catch(
      async (error: unknown) => {
        if (!(await this.isStoredAnyway(error))) throw error;
      },
    );
  }

  /**
   * Returns true if an upload failed only because the response to its completion was lost: the second attempt then finds
   * no upload, and the object is there.
   */
  private async isStoredAnyway(error: unknown): Promise<boolean> {
    if (!(error instanceof StorageRequestError) || error.reason !== 'NoSuchUpload') return false;
    const head = await this.client.send(new HeadObjectCommand(this.object)).catch(() => undefined);
    return head?.ContentLength === this.size;
  }

  /** Removes what is stored. Never rejects: what is left, the sweep removes. */
  private async abandon(): Promise<void> {
    this.abandonment.abort();
    // A part that arrives after the end of its upload could stay.
    await this.sending;
    if (this.uploadId !== undefined) {
      const command = new AbortMultipartUploadCommand({ ...this.object, UploadId: this.uploadId });
      await this.client.send(command).catch(() => undefined);
    }
    // The object may be stored although the response was lost.
    if (this.mayExist) await this.client.send(new DeleteObjectCommand(this.object)).catch(() => undefined);
  }
}

function noField(operation: string, field: string): StorageRequestError {
  return new StorageRequestError(operation, `No${field}`, undefined, `the response has no ${field}`);
}
