import type { Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { sendStream } from './response-stream.js';

export interface LineStreamOptions {
  /** Makes the lines, each with its end; the signal aborts when the client leaves. */
  readonly lines: (signal: AbortSignal) => AsyncIterable<string>;
  /** The object that tells a failure in mid-stream. */
  readonly failure: (error: AppError) => object;
}

/**
 * Answers with one JSON object a line, from the first line on. The format has no comments, so a silent answer stays
 * silent. Resolves when it has ended, however it ended.
 * @throws what the lines threw before the first of them
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
