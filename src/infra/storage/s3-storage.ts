import { Readable } from 'node:stream';
import {
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
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { S3Config } from '../../config/index.js';
import { type ByteRange, FileStorage, type PutOptions, type StorageKey } from './file-storage.js';
import { toDownload } from './s3-download.js';
import { checkedKeyPart, parseObjectName, toObjectName } from './storage-key.js';
import { PartMemory } from './part-memory.js';
import { S3Upload } from './s3-upload.js';
import { callStore, MissingContentError, StorageRequestError, toStorageError } from './storage-errors.js';

/** Share of the memory for parts that the uploads of one folder may have. */
const FOLDER_SHARE = 1 / 8;

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
  /** For receiving a part of an upload while uploads of other folders wait for its memory. */
  readonly partMs: number;
}

/** The time for a part of 5 MB is that of a connection of 0.7 Mbit/s. */
const TIMEOUTS: S3Timeouts = { connectMs: 5000, requestMs: 60_000, silenceMs: 30_000, partMs: 60_000 };

/** Stores files in a bucket of an S3-compatible store. The SDK takes the credentials from the environment. */
export class S3Storage extends FileStorage implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(S3Storage.name);
  private readonly client: S3Client;
  private readonly bucket: string;
  private readonly memory: PartMemory;
  private hasReportedListing = false;

  constructor(
    { bucket, endpoint, region, uploadBufferBytes }: S3Config,
    private readonly timeouts: S3Timeouts = TIMEOUTS,
  ) {
    super();
    this.bucket = bucket;
    this.memory = new PartMemory({
      total: uploadBufferBytes,
      perFolder: uploadBufferBytes * FOLDER_SHARE,
      receiveMs: timeouts.partMs,
    });
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

  override async put(
    key: StorageKey,
    bytes: AsyncIterable<Uint8Array>,
    options: PutOptions = {},
  ): Promise<void> {
    const object = { Bucket: this.bucket, Key: toObjectName(key) };
    await new S3Upload(this.client, object, this.memory, key.folder).store(bytes, options);
  }

  override async open(key: StorageKey, range?: ByteRange): Promise<Readable> {
    const { Body: body } = await callStore('GetObject', () =>
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
    await callStore('DeleteObject', () =>
      this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: toObjectName(key) })),
    );
  }

  override async deleteFolder(folder: string): Promise<void> {
    for await (const { Contents: contents = [] } of this.pages(`${checkedKeyPart(folder)}/`)) {
      if (contents.length === 0) continue;
      const objects = contents.map(({ Key }) => ({ Key }));
      const { Errors: [failure] = [] } = await callStore('DeleteObjects', () =>
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
      await callStore('AbortMultipartUpload', () =>
        this.client.send(new AbortMultipartUploadCommand({ Bucket: this.bucket, Key, UploadId })),
      ).catch((error: unknown) => {
        // Another process was faster.
        if (!(error instanceof StorageRequestError && error.reason === 'NoSuchUpload')) throw error;
      });
      removed += 1;
    }
    return removed;
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
      return await callStore('ListMultipartUploads', () =>
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
      const page = await callStore('ListObjectsV2', () => pages.next());
      if (page.done === true) return;
      yield page.value;
    }
  }
}

function isMissingObject(error: unknown): boolean {
  return error instanceof StorageRequestError && error.reason === 'NoSuchKey';
}
