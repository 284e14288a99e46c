import { Pool } from 'undici';

/**
 * A POST request.
 * @typedef {{ path: string, headers: Record<string, string>, body: string }} Call
 */

/**
 * The result of a call.
 * @typedef {object} Outcome
 * @property {number} firstByteMs time from sending to the first byte of the body
 * @property {number} totalMs
 * @property {number} events number of events that ended with an empty line
 * @property {number} pieces number of chunks of the body
 */

const BLANK_LINE = Buffer.from('\n\n');
const NEWLINE = BLANK_LINE[0];

/** Reads one response and counts its events without parsing them. */
class Follower {
  #sentAt = performance.now();
  #firstByteAt = 0;
  #status = 0;
  #events = 0;
  #pieces = 0;
  #afterNewline = false;
  #failure = '';
  #resolve;
  #reject;
  #onPiece;

  constructor({ resolve, reject }, onPiece) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#onPiece = onPiece;
  }

  onRequestStart() {}

  onResponseStart(controller, status) {
    this.#status = status;
  }

  onResponseData(controller, piece) {
    if (this.#pieces === 0) this.#firstByteAt = performance.now();
    this.#pieces += 1;
    if (this.#status !== 200) {
      this.#failure += piece.toString();
      return;
    }
    let from = 0;
    if (this.#afterNewline && piece[0] === NEWLINE) {
      this.#events += 1;
      from = 1;
    }
    for (;;) {
      const end = piece.indexOf(BLANK_LINE, from);
      if (end === -1) break;
      this.#events += 1;
      from = end + BLANK_LINE.length;
    }
    this.#afterNewline = from < piece.length && piece[piece.length - 1] === NEWLINE;
    this.#onPiece?.(piece);
  }

  onResponseEnd() {
    if (this.#status !== 200) {
      this.#reject(new Error(`answered ${this.#status}: ${this.#failure.slice(0, 300)}`));
      return;
    }
    this.#resolve({
      firstByteMs: this.#firstByteAt - this.#sentAt,
      totalMs: performance.now() - this.#sentAt,
      events: this.#events,
      pieces: this.#pieces,
    });
  }

  onResponseError(controller, error) {
    this.#reject(error);
  }
}

/** A client of one server, light enough not to distort the measurement. */
export class Client {
  #pool;

  /** @param {string} url */
  constructor(url) {
    this.#pool = new Pool(url, { pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
  }

  /**
   * Sends a call and reads the response to its end.
   * @param {Call} call
   * @param {(piece: Buffer) => void} [onPiece] called with each chunk of the body as it arrives
   * @returns {Promise<Outcome>}
   */
  send({ path, headers, body }, onPiece) {
    return new Promise((resolve, reject) => {
      this.#pool.dispatch(
        { method: 'POST', path, headers, body },
        new Follower({ resolve, reject }, onPiece),
      );
    });
  }

  /**
   * Keeps this many calls running until it is stopped.
   * @param {Call} call
   * @param {number} concurrency
   * @param {(outcome: Outcome) => void} onOutcome
   * @returns {() => Promise<void>} sends no new calls and waits for the running ones; rejects if a call failed
   */
  keepBusy(call, concurrency, onOutcome) {
    let stopped = false;
    const worker = async () => {
      while (!stopped) onOutcome(await this.send(call));
    };
    const workers = Promise.all(Array.from({ length: concurrency }, worker)).catch((error) => {
      stopped = true;
      return error;
    });
    return async () => {
      stopped = true;
      const failure = await workers;
      if (failure instanceof Error) throw failure;
    };
  }

  close() {
    return this.#pool.destroy();
  }
}
