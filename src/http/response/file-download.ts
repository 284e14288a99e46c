import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiResponse } from '@nestjs/swagger';
import type { Response } from 'express';
import { AppError } from '../../common/errors.js';
import { onAccessRevoked } from '../context/principal.js';

/** A range of bytes; both positions are counted from 0, and `end` is inclusive. */
interface DownloadRange {
  readonly start: number;
  readonly end: number;
}

/** A stored file to send as a download. */
export interface FileDownload {
  /** File name for the download; may be any text. */
  readonly name: string;
  /** Media type, without parameters. */
  readonly mediaType: string;
  /** Size in bytes. */
  readonly size: number;
  /** SHA-256 of the bytes. */
  readonly hash: Uint8Array;
  /** Opens the bytes, or a range of them. Not called if none are sent. */
  readonly open: (range?: DownloadRange) => Promise<Readable>;
}

/** The value of a `Range` header with one range. */
const SINGLE_RANGE = /^bytes=\s*(\d*)-(\d*)\s*$/i;

/**
 * Sends a stored file, or the range of it that the request asks for, no faster than the client reads it. Resolves when
 * all is sent or the client has disconnected; the source is closed in either case. If the source fails midway, the
 * connection is closed: the client notices by the missing bytes.
 * @throws AppError `range_not_satisfiable`
 * @throws Error from the source
 */
export async function sendFileDownload(response: Response, file: FileDownload): Promise<void> {
  const { req: request } = response;
  const etag = `"${Buffer.from(file.hash).toString('hex')}"`;
  response.set({ ETag: etag, 'Accept-Ranges': 'bytes', 'Cache-Control': 'private, no-cache' });
  if (isCurrent(request.get('If-None-Match'), etag)) {
    response.status(304).end();
    return;
  }
  if (request.method === 'HEAD') {
    setFileHeaders(response, file).set('Content-Length', String(file.size)).end();
    return;
  }
  // The tag is strong, and there is no date of a last change: `If-Range` with anything else means a different file.
  const condition = request.get('If-Range');
  const header = condition === undefined || condition === etag ? request.get('Range') : undefined;
  const range = header === undefined ? undefined : requestedRange(header, file.size);
  if (range === 'unsatisfiable') {
    response.set('Content-Range', `bytes */${file.size}`);
    throw new AppError(
      'range_not_satisfiable',
      `The file has ${file.size} bytes; request a range that begins before its end.`,
    );
  }
  const bytes = await file.open(range);
  setFileHeaders(response, file).set('Content-Length', String(lengthOf(range, file.size)));
  if (range !== undefined)
    response.status(206).set('Content-Range', `bytes ${range.start}-${range.end}/${file.size}`);
  await sendBytes(response, bytes);
}

/** Documents a route that sends a stored file. */
export function ApiFileDownload(): MethodDecorator {
  const content = { '*/*': { schema: { type: 'string', format: 'binary' } } };
  return applyDecorators(
    ApiHeader({
      name: 'Range',
      required: false,
      description: 'Range of bytes to send. Several ranges are answered with the whole file.',
      schema: { type: 'string', example: 'bytes=0-1023' },
    }),
    ApiHeader({
      name: 'If-None-Match',
      required: false,
      description: '`ETag` of the copy that the client has.',
      schema: { type: 'string' },
    }),
    ApiOkResponse({ description: 'The bytes of the file.', content }),
    ApiResponse({ status: 206, description: 'The requested range of the file.', content }),
    ApiResponse({ status: 304, description: 'The copy of the client is current.' }),
  );
}

/**
 * Reports whether the client has the bytes. Express's `fresh` says no for every request with `Cache-Control: no-cache`,
 * which `fetch` adds to each request with a condition.
 */
function isCurrent(noneMatch: string | undefined, etag: string): boolean {
  const tags = (noneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || noneMatch?.trim() === '*';
}

/**
 * Returns the range that a header requests; undefined if the whole file is to be sent: for several ranges, and for a
 * header that is malformed. Express's parser treats a suffix that is longer than the file as unsatisfiable, although
 * it means the whole file (RFC 9110, section 14.1.2).
 */
function requestedRange(header: string, size: number): DownloadRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = SINGLE_RANGE.exec(header) ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

function lengthOf(range: DownloadRange | undefined, size: number): number {
  return range === undefined ? size : range.end - range.start + 1;
}

function setFileHeaders(response: Response, { name, mediaType }: FileDownload): Response {
  // Always an attachment, never shown in the browser: uploaded HTML must not run as a page of this server.
  response.attachment(name);
  // Not Express's method, which adds a UTF-8 charset to text types: the encoding is not stored, and may be another one.
  response.setHeader('Content-Type', mediaType);
  return response;
}

async function sendBytes(response: Response, bytes: Readable): Promise<void> {
  const forget = onAccessRevoked(response.req, () => {
    response.destroy();
  });
  try {
    await pipeline(bytes, response);
  } catch (error) {
    if (!isDisconnect(error)) throw error;
  } finally {
    forget();
    // Has an effect only if the client disconnected before the bytes were piped.
    bytes.destroy();
  }
}

/** Reports whether the error means that the client disconnected, during the download or before it. */
function isDisconnect(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ERR_STREAM_UNABLE_TO_PIPE';
}
