import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import type { Response } from 'express';
import { AppError } from '../../common/errors.js';
import { logFailure } from '../errors/error.filter.js';
import { toAppError } from '../errors/to-app-error.js';
import { onAccessRevoked } from '../context/principal.js';
import { requestIdOf } from '../context/request-id.js';

/** Interval between pings, which stop proxies and clients from closing a silent connection, in milliseconds. */
const PING_INTERVAL_MS = 15_000;

const logger = new Logger('ResponseStream');

/** A streamed response of any format. */
export interface ResponseStream<Item> {
  /** Response headers, including the content type. */
  readonly headers: Readonly<Record<string, string>>;
  /** Produces the items; the signal aborts when the client disconnects. */
  readonly items: (signal: AbortSignal) => AsyncIterable<Item>;
  /** Returns the complete text of an item as it is sent: nothing is written in the middle of it. */
  readonly render: (item: Item) => string;
  /** Returns the text that reports a failure in mid-stream. */
  readonly failure: (error: AppError) => string;
  /**
   * When the headers are sent: `at_once` sends them before the first item, so that every failure is reported in the
   * stream; `first_item` waits for the first item, so that a failure before it has its own status.
   */
  readonly begin: 'at_once' | 'first_item';
  /** Text that clients ignore, for formats that have one. A ping sends the headers if they are not sent yet. */
  readonly ping: string | undefined;
}

/**
 * Streams a response and resolves when it has ended, for whatever reason. Pauses while the client does not read;
 * stops the items when the client disconnects or its access is revoked. A failure in mid-stream is reported as an
 * item.
 * @throws what the items threw before the first of them, with `begin: 'first_item'`
 */
export async function sendStream<Item>(response: Response, stream: ResponseStream<Item>): Promise<void> {
  const { render, ping } = stream;
  const client = new ClientConnection(response);
  const begin = (): void => {
    if (!response.headersSent) writeHeaders(response, stream.headers);
  };
  let wrote = false;
  if (stream.begin === 'at_once') {
    begin();
    // If the first item is already available, it is sent with the headers in one write.
    setImmediate(() => {
      if (!wrote && !response.destroyed) response.flushHeaders();
    });
  }
  const alive = setInterval(() => {
    if (ping === undefined) return;
    begin();
    if (!response.writableNeedDrain) response.write(ping);
    wrote = true;
  }, PING_INTERVAL_MS);
  try {
    for await (const item of stream.items(client.gone)) {
      begin();
      wrote = true;
      // One write for each item, so that a ping never splits it.
      if (!response.write(render(item))) await once(response, 'drain', { signal: client.gone });
    }
    if (client.isShutOut) throw shutOutError();
  } catch (error) {
    if (client.gone.aborted && (!client.isShutOut || response.destroyed)) return;
    const failure = client.isShutOut ? shutOutError() : toAppError(error);
    if (!response.headersSent) throw failure;
    logFailure(logger, failure, requestIdOf(response));
    wrote = true;
    response.write(stream.failure(failure));
  } finally {
    clearInterval(alive);
    client.forget();
    wrote = true;
    if (response.headersSent) response.end();
  }
}

function writeHeaders(response: Response, headers: Readonly<Record<string, string>>): void {
  response.writeHead(200, {
    ...headers,
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
  });
}

function shutOutError(): AppError {
  return new AppError('unauthorized', 'The account was disabled or the API key revoked during the request.');
}

/**
 * Runs work for a response that is not streamed, with a signal that aborts when the client disconnects or its access
 * is revoked.
 * @throws AppError `unauthorized` if its access was revoked meanwhile, otherwise what the work threw
 */
export async function withClientSignal<Result>(
  response: Response,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const client = new ClientConnection(response);
  try {
    return await work(client.gone);
  } catch (error) {
    throw client.isShutOut ? shutOutError() : error;
  } finally {
    client.forget();
  }
}

/** The connection of a client that waits for a response. */
class ClientConnection {
  private readonly leaving = new AbortController();
  private readonly forgetShutOut: () => void;
  private shutOut = false;

  constructor(private readonly response: Response) {
    response.once('close', this.leave);
    this.forgetShutOut = onAccessRevoked(response.req, () => {
      this.shutOut = true;
      this.leave();
    });
    // If the client disconnected while its request was being processed, `close` has already been emitted.
    if (response.destroyed) this.leave();
  }

  /** Aborts when the client has disconnected or its access is revoked. */
  get gone(): AbortSignal {
    return this.leaving.signal;
  }

  /** True if its account was disabled or its key revoked in the meantime. */
  get isShutOut(): boolean {
    return this.shutOut;
  }

  /** Stops watching the client, once the response has ended. */
  forget(): void {
    this.forgetShutOut();
    this.response.off('close', this.leave);
  }

  private readonly leave = (): void => {
    this.leaving.abort();
  };
}
