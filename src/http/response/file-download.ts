import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import { onAccessRevoked } from '../context/principal.js';

/** Bytes that are sent to be saved. */
export interface SentBytes {
  /** What they are to be saved as; any text. */
  readonly name: string;
  /** Without parameters. */
  readonly mediaType: string;
  /** How many there are. */
  readonly size: number;
  readonly bytes: Readable;
}

/**
 * Sends a file, no faster than it is read. Resolves when all is sent or the client is gone, and the source is closed in
 * either case. Where the source fails on the way the connection is cut: that its length is missing tells the client.
 * @throws Error what the source threw
 */
export async function sendBytes(response: Response, file: SentBytes): Promise<void> {
  const { name, mediaType, size, bytes } = file;
  // Never shown in the browser, whatever it is: somebody's HTML must not run as a page of this server.
  response.attachment(name);
  response.set({
    // Express adds to texts that they are UTF-8, as they were found to be.
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

/** Whether the client has left. */
function isPremature(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
