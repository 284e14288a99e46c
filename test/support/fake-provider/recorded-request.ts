import type { IncomingHttpHeaders } from 'node:http';

import type { Closing } from './reply.js';
import type { Route } from './provider-protocol.js';

/** A received request with the end of its response. */
export interface RecordedRequest {
  readonly method: string;
  /** The path with the query string. */
  readonly path: string;
  /** Undefined if the provider does not serve the path. */
  readonly route: Route | undefined;
  readonly headers: IncomingHttpHeaders;
  /** The parsed JSON, or undefined if the body is not JSON. */
  readonly body: unknown;
  readonly rawBody: string;
  /** Time when the head of the request arrived, in milliseconds on the clock of `performance.now()`. */
  readonly receivedAt: number;
  /** Resolves when the response is closed: sent completely, aborted by a fault, or left by the client. */
  readonly closed: Promise<Closing>;
  /** Resolves when the first bytes, including headers, have been sent; rejects if that never happens. */
  readonly firstByteSent: Promise<void>;
}

interface Waiter {
  route: Route | undefined;
  resolve: (request: RecordedRequest) => void;
  reject: (reason: Error) => void;
}

/** Records the requests in the order in which they were read completely. */
export class RequestLog {
  readonly #requests: RecordedRequest[] = [];
  readonly #waiters: Waiter[] = [];

  /** All requests since the start or the last clear; always the same array. */
  get all(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** Adds a request and passes it to the first matching waiter. */
  add(request: RecordedRequest): void {
    this.#requests.push(request);
    const place = this.#waiters.findIndex(({ route }) => route === undefined || route === request.route);
    if (place >= 0) this.#waiters.splice(place, 1)[0]?.resolve(request);
  }

  /** Waits for the next request; concurrent waiters get one request each, in order. */
  async next(route?: Route): Promise<RecordedRequest> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ route, resolve, reject });
    });
  }

  /** Removes all requests and rejects pending waits. */
  clear(): void {
    this.#requests.length = 0;
    for (const waiter of this.#waiters.splice(0)) {
      waiter.reject(new Error('No request came in before the provider was reset.'));
    }
  }
}
