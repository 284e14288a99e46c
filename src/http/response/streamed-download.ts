import type { Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { sendStream } from './response-stream.js';

export interface DownloadOptions {
  readonly contentType: string;
  /** Letters, digits, `-` and `.`; nothing that a user wrote. */
  readonly fileName: string;
  /** Makes the pieces; the signal aborts when the client leaves. */
  readonly pieces: (signal: AbortSignal) => AsyncIterable<string>;
  /** What is written where it breaks off, so that nobody takes the file for a whole one. */
  readonly failure: (error: AppError) => string;
}

/**
 * Answers with a file to be saved, piece by piece as the client reads. Resolves when it has ended, however it ended.
 * @throws what the pieces threw before the first of them
 */
export async function sendDownload(response: Response, options: DownloadOptions): Promise<void> {
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
