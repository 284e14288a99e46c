import { once } from 'node:events';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { setImmediate, setTimeout } from 'node:timers/promises';

/** The end of a response. */
export interface Closing {
  /** The side that ended it: `server` if it was sent completely or aborted on purpose. */
  by: 'client' | 'server';
  /** Time in milliseconds on the clock of `performance.now()`. */
  at: number;
}

/** The splitting of a body into pieces. */
export interface Pieces {
  bytes: number;
  /** Delay after each piece. */
  gapMs: number;
}

/** Turns of the event loop between the last byte and a reset. */
const TURNS_BEFORE_RESET = 20;

/** The writing side of an exchange. Its pending waits end, with their timers, when the response closes. */
export class Reply {
  /** Resolves when the response is closed; never rejects. */
  readonly closed: Promise<Closing>;
  /**
   * Resolves when bytes, including headers, have been handed to the socket; rejects if that never happens.
   */
  readonly firstByteSent: Promise<void>;
  readonly #response: ServerResponse;
  readonly #closing = new AbortController();
  readonly #firstByte = Promise.withResolvers<undefined>();
  #brokenByServer = false;
  #pieces: Pieces | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.firstByteSent = this.#firstByte.promise;
    // Most tests do not await it, and that must not cause an unhandled rejection.
    this.firstByteSent.catch(() => undefined);
    const closed = Promise.withResolvers<Closing>();
    this.closed = closed.promise;
    response.once('close', () => {
      const byServer = this.#brokenByServer || response.writableFinished;
      closed.resolve({ by: byServer ? 'server' : 'client', at: performance.now() });
      this.#firstByte.reject(new Error('The response was closed before its first byte.'));
      this.#closing.abort();
    });
  }

  /** Aborted when the response is closed. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  get headersSent(): boolean {
    return this.#response.headersSent;
  }

  /** Splits all data written from now on into pieces. */
  cutInto(pieces: Pieces): void {
    this.#pieces = pieces;
  }

  /** Sends status and headers immediately, before there is a body. */
  head(status: number, headers: OutgoingHttpHeaders): void {
    this.signal.throwIfAborted();
    this.#response.writeHead(status, headers);
    this.#response.flushHeaders();
    this.#firstByte.resolve(undefined);
  }

  /** Writes data, and waits while the client does not read. */
  async write(data: string): Promise<void> {
    const bytes = Buffer.from(data);
    const step = this.#pieces?.bytes ?? bytes.length;
    for (let start = 0; start < bytes.length; start += step) {
      await this.#send(bytes.subarray(start, start + step));
      if (this.#pieces !== undefined && this.#pieces.gapMs > 0) await this.pause(this.#pieces.gapMs);
    }
  }

  /** Ends the response properly. */
  async end(): Promise<void> {
    this.signal.throwIfAborted();
    this.#response.end();
    await this.closed;
  }

  /** Resets the connection. */
  async reset(): Promise<void> {
    // A reset discards received data that was not read yet, so a reader in the same process gets some turns
    // to read it.
    for (let turn = 0; turn < TURNS_BEFORE_RESET; turn += 1)
      await setImmediate(undefined, { signal: this.signal });
    this.#brokenByServer = true;
    this.#response.socket?.resetAndDestroy();
    await this.closed;
  }

  /** Aborts the exchange because the provider stops. */
  destroy(): void {
    if (!this.signal.aborted) this.#brokenByServer = true;
    this.#response.socket?.destroy();
  }

  /** Waits the given time, in milliseconds. */
  async pause(milliseconds: number): Promise<void> {
    await setTimeout(milliseconds, undefined, { signal: this.signal });
  }

  /**
   * Sends each piece in its own turn of the event loop, so that a reader in the same process sees it before
   * the next one.
   */
  async #send(piece: Buffer): Promise<void> {
    this.signal.throwIfAborted();
    const roomLeft = this.#response.write(piece);
    if (!roomLeft) await once(this.#response, 'drain', { signal: this.signal });
    await setImmediate(undefined, { signal: this.signal });
  }
}
