import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import type { Response } from 'express';
import type { OutgoingEvent } from '../common/event-stream.js';
import { toErrorObject } from './error-body.dto.js';
import { logFailure } from './error.filter.js';
import { toAppError } from './foreign-errors.js';
import { requestIdOf } from './request-id.js';

/** A comment this often keeps proxies and clients from giving a silent connection up, in milliseconds. */
const PING_INTERVAL_MS = 15_000;

const logger = new Logger('Http');

/**
 * Answers with an event stream and resolves when it has ended, however it ended. Waits whenever the client does not
 * read; stops the events when the client is gone. A failure in mid-stream is told as an event of its own.
 *
 * @param events makes the events; the signal aborts when the client leaves
 */
export async function sendEventStream(
  response: Response,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    readonly events: (signal: AbortSignal) => AsyncIterable<OutgoingEvent>;
  },
): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => {
    gone.abort();
  };
  response.once('close', leave);
  // A client that left while its request was looked at has been told of already.
  if (response.destroyed) leave();
  response.writeHead(200, {
    ...options.headers,
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
  const ping = setInterval(() => {
    if (!response.writableNeedDrain) response.write(': ping\n\n');
  }, PING_INTERVAL_MS);
  try {
    for await (const event of options.events(gone.signal)) await write(response, render(event), gone.signal);
  } catch (error) {
    if (!gone.signal.aborted) {
      const failure = toAppError(error);
      logFailure(logger, failure, requestIdOf(response));
      response.write(render({ data: { error: toErrorObject(failure) } }));
    }
  } finally {
    clearInterval(ping);
    response.off('close', leave);
    response.end();
  }
}

/** One write a frame, so that a frame is never cut by a ping. */
async function write(response: Response, text: string, signal: AbortSignal): Promise<void> {
  if (response.write(text)) return;
  await once(response, 'drain', { signal });
}

function render({ id, data }: OutgoingEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return id === undefined ? `data: ${text}\n\n` : `id: ${id}\ndata: ${text}\n\n`;
}
