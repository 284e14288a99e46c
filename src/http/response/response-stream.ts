import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import type { Response } from 'express';
import { AppError } from '../../common/errors.js';
import { logFailure } from '../errors/error.filter.js';
import { toAppError } from '../errors/to-app-error.js';
import { onAccessRevoked } from '../context/principal.js';
import { requestIdOf } from '../context/request-id.js';

/** A sign of life this often keeps proxies and clients from giving a silent connection up, in milliseconds. */
const PING_INTERVAL_MS = 15_000;

const logger = new Logger('Http');

/** An answer in pieces, whatever its format is. */
export interface ResponseStream<Item> {
  /** Its type among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Makes the pieces; the signal aborts when the client leaves. */
  readonly items: (signal: AbortSignal) => AsyncIterable<Item>;
  /** A piece as it goes over the socket, whole: nothing is written in the middle of it. */
  readonly render: (item: Item) => string;
  /** How a failure in mid-stream is told. */
  readonly failure: (error: AppError) => string;
  /**
   * What a client is told first: `at_once` sends the headers before there is a piece, so that everything that goes
   * wrong is told in the stream; `first_item` waits for one, so that a failure before it has its own status.
   */
  readonly begin: 'at_once' | 'first_item';
  /** What means nothing to clients, for formats that have such a thing. Sends the headers where they are not sent yet. */
  readonly ping: string | undefined;
}

/**
 * Answers in pieces and resolves when the answer has ended, however it ended. Waits whenever the client does not read;
 * stops the pieces when the client is gone or shut out. A failure in mid-stream is told as a piece of its own.
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
    // A first piece that is there already goes out with the headers, in one write.
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
      // One write a piece, so that it is never cut by a ping.
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
 * Does work for an answer in one piece, under a signal that aborts when the client leaves or is shut out.
 * @throws AppError `unauthorized` where it was shut out meanwhile, and else what the work threw
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

/** Who waits for an answer, for as long as it takes. */
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
    // A client that left while its request was looked at has been told of already.
    if (response.destroyed) this.leave();
  }

  /** Aborts when the client has left or is shut out. */
  get gone(): AbortSignal {
    return this.leaving.signal;
  }

  /** Whether its account was disabled or its key revoked meanwhile. */
  get isShutOut(): boolean {
    return this.shutOut;
  }

  /** Ends the watch, once there is nothing more to tell. */
  forget(): void {
    this.forgetShutOut();
    this.response.off('close', this.leave);
  }

  private readonly leave = (): void => {
    this.leaving.abort();
  };
}
