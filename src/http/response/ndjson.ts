import type { Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { sendStream } from './response-stream.js';

export interface LineStreamOptions {
  /** Produces the lines, each with its line end; the signal aborts when the client disconnects. */
  readonly lines: (signal: AbortSignal) => AsyncIterable<string>;
  /** Returns the object that reports a failure in mid-stream. */
  readonly failure: (error: AppError) => object;
}

/**
 * Sends one JSON object per line, starting with the first line. The format has no comments, so pings are impossible.
 * Resolves when the stream has ended, for whatever reason.
 * @throws what `lines` threw before the first line
 */
export async function sendLineStream(response: Response, options: LineStreamOptions): Promise<void> {
  await sendStream(response, {
    headers: { 'Content-Type': 'application/x-ndjson' },
    items: options.lines,
    begin: 'first_item',
    render: (line) => line,
    failure: (error) => `${JSON.stringify(options.failure(error))}\n`,
    ping: undefined,
  });
}
