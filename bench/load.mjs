import { Pool } from 'undici';

/**
 * A POST.
 * @typedef {{ path: string, headers: Record<string, string>, body: string }} Call
 */

/**
 * How a call went.
 * @typedef {object} Outcome
 * @property {number} firstByteMs from sending to the first byte of the body
 * @property {number} totalMs
 * @property {number} events how many ended with an empty line
 * @property {number} pieces in how many the body came
 */

const BLANK_LINE = Buffer.from('\n\n');
const NEWLINE = BLANK_LINE[0];

/** Follows one answer and counts its events without looking into them. */
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

/** A client of one server, lean enough not to be what is measured. */
export class Client {
  #pool;

  /** @param {string} url */
  constructor(url) {
    this.#pool = new Pool(url, { pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
  }

  /**
   * Sends a call and reads its answer to the end.
   * @param {Call} call
   * @param {(piece: Buffer) => void} [onPiece] sees the body as it comes
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
   * Keeps so many calls running until it is told to stop.
   * @param {Call} call
   * @param {number} concurrency
   * @param {(outcome: Outcome) => void} onOutcome
   * @returns {() => Promise<void>} no new call is sent, the running ones are awaited; rejects where one had failed
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
