import type { Response } from 'express';
import { sendStream } from './response-stream.js';

/**
 * Sends a response of JSON that is produced while it is sent, piece by piece as the client reads. Resolves when it has
 * ended, for whatever reason. If it fails midway, it ends there: what was sent is not valid JSON.
 * @param pieces produces the pieces; the signal aborts when the client disconnects
 * @throws what the pieces threw before the first of them
 */
export async function sendJsonStream(
  response: Response,
  pieces: (signal: AbortSignal) => AsyncIterable<string>,
): Promise<void> {
  await sendStream(response, {
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
    items: pieces,
    begin: 'first_item',
    render: (piece) => piece,
    failure: () => '\n',
    ping: undefined,
  });
}
