import type { IncomingHttpHeaders } from 'node:http';

import type { Closing } from './reply.js';
import type { Route } from './wire.js';

/** A request as it came in, and what became of it. */
export interface RecordedRequest {
  readonly method: string;
  /** With the query string. */
  readonly path: string;
  /** Undefined: nothing that the provider serves. */
  readonly route: Route | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON; undefined if it is none. */
  readonly body: unknown;
  readonly rawBody: string;
  /** When the head of the request was there, in milliseconds on the clock of `performance.now()`. */
  readonly receivedAt: number;
  /** Settles when the response is closed: sent completely, broken off by a fault, or left by the client. */
  readonly closed: Promise<Closing>;
  /** Settles when the first bytes, headers included, are on their way; rejects if that never happens. */
  readonly firstByteSent: Promise<void>;
}

interface Waiter {
  route: Route | undefined;
  resolve: (request: RecordedRequest) => void;
  reject: (reason: Error) => void;
}

/** Keeps the requests in the order in which they were read completely. */
export class RequestLog {
  readonly #requests: RecordedRequest[] = [];
  readonly #waiters: Waiter[] = [];

  /** All requests since the start or the last clearing; the same array throughout. */
  get all(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** Adds a request and hands it to the first who waits for one like it. */
  add(request: RecordedRequest): void {
    this.#requests.push(request);
    const place = this.#waiters.findIndex(({ route }) => route === undefined || route === request.route);
    if (place >= 0) this.#waiters.splice(place, 1)[0]?.resolve(request);
  }

  /** Waits for a request that has not come in yet; of several who wait each gets one, in their order. */
  async next(route?: Route): Promise<RecordedRequest> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ route, resolve, reject });
    });
  }

  /** Forgets all requests; whoever still waits for one gets an error. */
  clear(): void {
    this.#requests.length = 0;
    for (const waiter of this.#waiters.splice(0)) {
      waiter.reject(new Error('No request came in before the provider was reset.'));
    }
  }
}
