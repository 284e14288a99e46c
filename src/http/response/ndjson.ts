import type { Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { sendStream } from './response-stream.js';

export interface LineStreamOptions {
  /** Produces the lines, one or several at once, each with its line end; the signal aborts when the client disconnects. */
  readonly lines: (signal: AbortSignal) => AsyncIterable<string>;
  /** Returns the object that reports a failure in mid-stream. */
  readonly failure: (error: AppError) => object;
  /** Media type of the lines; `application/x-ndjson` by default. */
  readonly contentType?: string;
  /** When the headers are sent; with the first line by default, which must exist then. See `ResponseStream.begin`. */
  readonly begin?: 'at_once' | 'first_item';
}

/**
 * Sends one JSON object per line. The format has no comments, so pings are impossible.
 * Resolves when the stream has ended, for whatever reason.
 * @throws what `lines` threw before the first line, unless it begins at once
 */
export async function sendLineStream(response: Response, options: LineStreamOptions): Promise<void> {
  await sendStream(response, {
    headers: { 'Content-Type': options.contentType ?? 'application/x-ndjson' },
    items: options.lines,
    begin: options.begin ?? 'first_item',
    render: (line) => line,
    failure: (error) => `${JSON.stringify(options.failure(error))}\n`,
    ping: undefined,
  });
}
