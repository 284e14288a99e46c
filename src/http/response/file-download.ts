import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import { onAccessRevoked } from '../context/principal.js';

/** A file to send as a download. */
export interface FileDownload {
  /** File name for the download; may be any text. */
  readonly name: string;
  /** Media type, without parameters. */
  readonly mediaType: string;
  /** Size in bytes. */
  readonly size: number;
  readonly bytes: Readable;
}

/**
 * Sends a file, no faster than the client reads it. Resolves when all is sent or the client has disconnected; the
 * source is closed in either case. If the source fails midway, the connection is closed: the client notices by the
 * missing bytes.
 * @throws Error from the source
 */
export async function sendFileDownload(response: Response, file: FileDownload): Promise<void> {
  const { name, mediaType, size, bytes } = file;
  // Always an attachment, never shown in the browser: uploaded HTML must not run as a page of this server.
  response.attachment(name);
  response.set({
    // Express adds a UTF-8 charset to text types. The content was checked to be UTF-8.
    'Content-Type': mediaType,
    'Content-Length': String(size),
    'Cache-Control': 'private, no-cache',
  });
  if (response.req.method === 'HEAD') {
    bytes.destroy();
    response.end();
    return;
  }
  const forget = onAccessRevoked(response.req, () => {
    response.destroy();
  });
  try {
    await pipeline(bytes, response);
  } catch (error) {
    if (!isPremature(error)) throw error;
  } finally {
    forget();
  }
}

/** Reports whether the error means that the client disconnected. */
function isPremature(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
