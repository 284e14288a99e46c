import type { Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { sendStream } from './response-stream.js';

/** A file that is generated while it is sent. */
export interface GeneratedDownload {
  readonly contentType: string;
  /** File name: letters, digits, `-` and `.` only; never user input. */
  readonly fileName: string;
  /** Produces the pieces; the signal aborts when the client disconnects. */
  readonly pieces: (signal: AbortSignal) => AsyncIterable<string>;
  /** Returns the text to write if the download fails midway, so that nobody mistakes the file for a complete one. */
  readonly failure: (error: AppError) => string;
}

/**
 * Generates a file and sends it as a download, piece by piece as the client reads. Resolves when it has ended, for whatever reason.
 * @throws what the pieces threw before the first of them
 */
export async function sendGeneratedDownload(response: Response, options: GeneratedDownload): Promise<void> {
  await sendStream(response, {
    headers: {
      'Content-Type': options.contentType,
      'Content-Disposition': `attachment; filename="${options.fileName}"`,
    },
    items: options.pieces,
    begin: 'first_item',
    render: (piece) => piece,
    failure: options.failure,
    ping: undefined,
  });
}
