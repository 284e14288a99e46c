import { Readable } from 'node:stream';
import {
  HeadObjectCommand,
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  type ListMultipartUploadsCommandOutput,
  type MultipartUpload,
  paginateListObjectsV2,
  type ListObjectsV2CommandOutput,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { S3Config } from '../../config/index.js';
import { type ByteRange, FileStorage, type StorageKey } from './file-storage.js';
import { toDownload } from './s3-download.js';
import { checkedKeyPart, parseObjectName, toObjectName } from './storage-key.js';
import { MissingContentError, StorageRequestError, toStorageError } from './storage-errors.js';

/** Size of the parts of an upload, in bytes: the least that S3 accepts. */
const PART_BYTES = 5 * 2 ** 20;

/** Number of parts of one upload that are sent at the same time, and so are in memory. */
const PARTS_AT_ONCE = 2;

/** Maximum number of connections to the store. A download occupies one for as long as its client reads. */
const MAX_SOCKETS = 256;

/** Number of times that a request is tried; the SDK waits between them. */
const ATTEMPTS = 3;

/** Statuses of a store that does not know ListMultipartUploads, or does not allow it. */
const WITHOUT_LISTING: ReadonlySet<number | undefined> = new Set([400, 403, 405, 501]);

/** Timeouts of requests to the store, in milliseconds. */
export interface S3Timeouts {
  /** Until there is a connection, including the wait for a free one. */
  readonly connectMs: number;
  /** From the start of a request, with a part of an upload as its body, to the head of its response. */
  readonly requestMs: number;
  /** Without any bytes of a download that is being read. */
  readonly silenceMs: number;
}

const TIMEOUTS: S3Timeouts = { connectMs: 5000, requestMs: 60_000, silenceMs: 30_000 };

/** Stores files in a bucket of an S3-compatible store. The SDK takes the credentials from the environment. */
export class S3Storage extends FileStorage implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(S3Storage.name);
  private readonly client: S3Client;
  private readonly bucket: string;
  private hasReportedListing = false;

  constructor(
    { bucket, endpoint, region }: S3Config,
    private readonly timeouts: S3Timeouts = TIMEOUTS,
  ) {
    super();
    this.bucket = bucket;
    this.client = new S3Client({
      region,
      // Other stores rarely have a host name for each bucket.
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      // Other stores refuse the checksums that the SDK sends by default.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: ATTEMPTS,
      requestHandler: {
        connectionTimeout: timeouts.connectMs,
        requestTimeout: timeouts.requestMs,
        throwOnRequestTimeout: true,
        // Any time limit of the socket would end the download of a slow reader.
        socketTimeout: 0,
        httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
        httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      },
    });
  }

  /** Reports a bucket that cannot be used, without delaying the start: the rest of the API works without it. */
  onApplicationBootstrap(): void {
    this.client.send(new HeadBucketCommand({ Bucket: this.bucket })).catch((error: unknown) => {
      const { cause, message } = toStorageError(error, 'HeadBucket');
      const reason = cause instanceof Error ? cause.message : message;
      this.logger.error(
        `the bucket of S3_BUCKET cannot be used; uploads and downloads fail until it can: ${reason}`,
      );
    });
  }

  onApplicationShutdown(): void {
    this.client.destroy();
  }

  override async put(key: StorageKey, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const source = new Source(bytes);
    // Without `IfNoneMatch`: keys are new UUIDs, not every store knows it, and if the response of a PUT is lost, the
    // SDK's second attempt would be refused because of the first.
    const upload = new Upload({
      client: this.client,
      params: { Bucket: this.bucket, Key: toObjectName(key), Body: Readable.from(source.read()) },
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
      leavePartsOnError: false,
    });
    try {
      await upload.done();
    } catch (error) {
      if (source.isComplete && (await this.isStoredAnyway(key, source.size, error))) return;
      // A source that failed was never sent as a whole. Otherwise the store may have the object although the response
      // was lost. If this fails too, the sweep deletes it.
      if (source.failure === undefined) await this.delete(key).catch(() => undefined);
      throw source.failure === undefined ? toStorageError(error, 'Upload') : source.failure.error;
    }
  }

  override async open(key: StorageKey, range?: ByteRange): Promise<Readable> {
    const { Body: body } = await this.request('GetObject', () =>
      this.client.send(
        new GetObjectCommand({
          Bucket: this.bucket,
          Key: toObjectName(key),
          ...(range && { Range: `bytes=${range.start}-${range.end}` }),
        }),
      ),
    ).catch((error: unknown) => {
      // Only this reason: a bucket that does not exist is a mistake of the configuration, and says nothing of its objects.
      throw isMissingObject(error) ? new MissingContentError(error) : error;
    });
    if (body instanceof Readable) return toDownload(body, this.timeouts.silenceMs);
    throw new StorageRequestError('GetObject', 'NoBody', undefined, 'the response has no body');
  }

  override async delete(key: StorageKey): Promise<void> {
    await this.request('DeleteObject', () =>
      this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: toObjectName(key) })),
    );
  }

  override async deleteFolder(folder: string): Promise<void> {
    for await (const { Contents: contents = [] } of this.pages(`${checkedKeyPart(folder)}/`)) {
      if (contents.length === 0) continue;
      const objects = contents.map(({ Key }) => ({ Key }));
      const { Errors: [failure] = [] } = await this.request('DeleteObjects', () =>
        this.client.send(
          new DeleteObjectsCommand({ Bucket: this.bucket, Delete: { Objects: objects, Quiet: true } }),
        ),
      );
      if (failure === undefined) continue;
      throw new StorageRequestError('DeleteObjects', failure.Code ?? 'Error', undefined, 'not all deleted');
    }
  }

  override async *keysBefore(time: number): AsyncGenerator<StorageKey> {
    for await (const { Contents: contents = [] } of this.pages()) {
      for (const { Key, LastModified: modified } of contents) {
        const key = parseObjectName(Key);
        if (key !== undefined && modified !== undefined && modified.getTime() < time) yield key;
      }
    }
  }

  override async removeUnfinishedUploads(time: number): Promise<number> {
    let removed = 0;
    for await (const { Key, UploadId, Initiated: begun } of this.unfinishedUploads()) {
      if (parseObjectName(Key) === undefined || begun === undefined || begun.getTime() >= time) continue;
      await this.request('AbortMultipartUpload', () =>
        this.client.send(new AbortMultipartUploadCommand({ Bucket: this.bucket, Key, UploadId })),
      ).catch((error: unknown) => {
        // Another process was faster.
        if (!(error instanceof StorageRequestError && error.reason === 'NoSuchUpload')) throw error;
      });
      removed += 1;
    }
    return removed;
  }

  /**
   * Returns true if an upload failed only because the response to its completion was lost: the second attempt then finds
   * no upload, and the object is there.
   */
  private async isStoredAnyway(key: StorageKey, size: number, error: unknown): Promise<boolean> {
    const failure = toStorageError(error, 'Upload');
    if (!(failure instanceof StorageRequestError) || failure.reason !== 'NoSuchUpload') return false;
    const object = { Bucket: this.bucket, Key: toObjectName(key) };
    const head = await this.client.send(new HeadObjectCommand(object)).catch(() => undefined);
    return head?.ContentLength === size;
  }

  private async *unfinishedUploads(): AsyncGenerator<MultipartUpload> {
    let input: ListMultipartUploadsCommandInput | undefined = { Bucket: this.bucket };
    while (input !== undefined) {
      const page: ListMultipartUploadsCommandOutput | undefined = await this.listUploads(input);
      if (page === undefined) return;
      yield* page.Uploads ?? [];
      const { IsTruncated: hasMore, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
      input =
        hasMore === true && KeyMarker !== undefined
          ? { Bucket: this.bucket, KeyMarker, UploadIdMarker }
          : undefined;
    }
  }

  /** Returns undefined if the store does not know this request, or does not allow it. */
  private async listUploads(
    input: ListMultipartUploadsCommandInput,
  ): Promise<ListMultipartUploadsCommandOutput | undefined> {
    try {
      return await this.request('ListMultipartUploads', () =>
        this.client.send(new ListMultipartUploadsCommand(input)),
      );
    } catch (error) {
      if (!(error instanceof StorageRequestError && WITHOUT_LISTING.has(error.status))) throw error;
      if (!this.hasReportedListing)
        this.logger.debug(`the parts of unfinished uploads stay in the bucket: ${error.message}`);
      this.hasReportedListing = true;
      return undefined;
    }
  }

  /** Lists objects, at most 1,000 a page, which is also what one deletion takes. */
  private async *pages(prefix?: string): AsyncGenerator<ListObjectsV2CommandOutput> {
    const input = { Bucket: this.bucket, ...(prefix !== undefined && { Prefix: prefix }) };
    const pages = paginateListObjectsV2({ client: this.client, pageSize: 1000 }, input);
    for (;;) {
      const page = await this.request('ListObjectsV2', () => pages.next());
      if (page.done === true) return;
      yield page.value;
    }
  }

  /** @throws StorageUnavailableError or StorageRequestError */
  private async request<Result>(operation: string, send: () => Promise<Result>): Promise<Result> {
    try {
      return await send();
    } catch (error) {
      throw toStorageError(error, operation);
    }
  }
}

function isMissingObject(error: unknown): boolean {
  return error instanceof StorageRequestError && error.reason === 'NoSuchKey';
}

/** Bytes of an upload. Notes that reading them failed, because the SDK may throw another error after that. */
class Source {
  failure: { readonly error: unknown } | undefined;
  /** Number of bytes read so far. */
  size = 0;
  /** True once all bytes have been read. */
  isComplete = false;

  constructor(private readonly bytes: AsyncIterable<Uint8Array>) {}

  async *read(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of this.bytes) {
        this.size += piece.length;
        yield piece;
      }
      this.isComplete = true;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}
