import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import type { Response } from 'express';
import { AppError } from '../common/errors.js';
import type { OutgoingEvent } from '../common/event-stream.js';
import { toErrorObject } from './error-body.dto.js';
import { logFailure } from './error.filter.js';
import { toAppError } from './foreign-errors.js';
import { whenShutOut } from './principal.js';
import { requestIdOf } from './request-id.js';

/** A comment this often keeps proxies and clients from giving a silent connection up, in milliseconds. */
const PING_INTERVAL_MS = 15_000;

const logger = new Logger('Http');

export interface EventStreamOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Makes the events; the signal aborts when the client leaves. */
  readonly events: (signal: AbortSignal) => AsyncIterable<OutgoingEvent>;
  /**
   * What a client is told first: `at_once` sends the headers before there is an event, so that everything that goes
   * wrong is told in the stream; `first_event` waits for one, so that a failure before it has its own status.
   */
  readonly begin: 'at_once' | 'first_event';
  /** How a failure in mid-stream is told; as `{"error": …}` without it. */
  readonly failure?: (error: AppError) => OutgoingEvent;
}

/**
 * Answers with an event stream and resolves when it has ended, however it ended. Waits whenever the client does not
 * read; stops the events when the client is gone. A failure in mid-stream is told as an event of its own.
 * @throws what the events threw before the first of them, with `begin: 'first_event'`
 */
export async function sendEventStream(response: Response, options: EventStreamOptions): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => {
    gone.abort();
  };
  response.once('close', leave);
  const shut = new AbortController();
  const forget = whenShutOut(response.req, () => {
    shut.abort();
    leave();
  });
  // A client that left while its request was looked at has been told of already.
  if (response.destroyed) leave();
  const begin = (): void => {
    if (!response.headersSent) writeHeaders(response, options.headers);
  };
  if (options.begin === 'at_once') begin();
  const ping = setInterval(() => {
    begin();
    if (!response.writableNeedDrain) response.write(': ping\n\n');
  }, PING_INTERVAL_MS);
  try {
    for await (const event of options.events(gone.signal)) {
      begin();
      // One write a frame, so that a frame is never cut by a ping.
      if (!response.write(render(event))) await once(response, 'drain', { signal: gone.signal });
    }
    if (shut.signal.aborted) throw shutOutError();
  } catch (error) {
    if (gone.signal.aborted && (!shut.signal.aborted || response.destroyed)) return;
    const failure = shut.signal.aborted ? shutOutError() : toAppError(error);
    if (!response.headersSent) throw failure;
    logFailure(logger, failure, requestIdOf(response));
    response.write(render(options.failure?.(failure) ?? { data: { error: toErrorObject(failure) } }));
  } finally {
    clearInterval(ping);
    forget();
    response.off('close', leave);
    if (response.headersSent) response.end();
  }
}

function writeHeaders(response: Response, headers: Readonly<Record<string, string>>): void {
  response.writeHead(200, {
    ...headers,
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
}

function render({ id, event, data }: OutgoingEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  const name = event === undefined ? '' : `event: ${event}\n`;
  return id === undefined ? `${name}data: ${text}\n\n` : `id: ${id}\n${name}data: ${text}\n\n`;
}

function shutOutError(): AppError {
  return new AppError('unauthorized', 'The account was disabled or the key revoked while this was answered.');
}

/** A signal that aborts when the client leaves before its answer was complete, or is shut out. */
export function clientGone(response: Response): AbortSignal {
  const gone = new AbortController();
  const forget = whenShutOut(response.req, () => {
    gone.abort();
  });
  response.once('close', () => {
    forget();
    if (!response.writableFinished) gone.abort();
  });
  if (response.destroyed) gone.abort();
  return gone.signal;
}
