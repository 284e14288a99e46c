import { Agent, request } from 'undici';
import type { RawBody } from './broken-body.js';
import { asErrorStatus, toHeaders } from './head.js';
import { isSuccess } from './post.js';

export type { RawBody } from './broken-body.js';
export { bytesOf } from './broken-body.js';

/** How long the end of a body may take after its last event for the connection to be worth keeping, in milliseconds. */
const DRAIN_MS = 1_000;

/**
 * Carries the requests of an official SDK over undici's own API, and leaves the body of a good answer raw. The
 * built-in `fetch` wraps every body in a web stream, which costs more than everything else that is done to an event.
 */
export class SdkTransport {
  /** For the requests that are made without the SDK: they share its connections. */
  readonly agent: Agent;
  private readonly bodies = new WeakMap<Response, RawBody>();

  /** @param options.connectTimeoutMs longest wait for a connection; every other wait is bounded by the caller's signal */
  constructor(options: { readonly connectTimeoutMs: number }) {
    this.agent = new Agent({
      connect: { timeout: options.connectTimeoutMs },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** `fetch` for calls whose good answers are read with `take`. Only answers that are no success have a body here. */
  readonly fetchRaw = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const answer = await request(input instanceof Request ? input.url : input, {
      dispatcher: this.agent,
      method: init.method === 'GET' ? 'GET' : 'POST',
      headers: Object.fromEntries(init.headers instanceof Headers ? init.headers : new Headers(init.headers)),
      ...(typeof init.body === 'string' && { body: init.body }),
      ...(init.signal && { signal: init.signal }),
    });
    const { statusCode: status } = answer;
    if (!isSuccess(status)) {
      const headers = toHeaders(answer.headers);
      return new Response(await answer.body.text(), { status: asErrorStatus(status), headers });
    }
    // Nobody reads the headers of a good answer, and copying them costs more than the rest of this function.
    const response = new Response();
    this.bodies.set(response, answer.body);
    return response;
  };

  /** `fetch` for calls whose answers the SDK reads itself. */
  readonly fetchWhole = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const response = await this.fetchRaw(input, init);
    const body = this.bodies.get(response);
    if (body === undefined) return response;
    return new Response(await body.text(), { headers: { 'content-type': 'application/json' } });
  };

  /** The body of a good answer. It must be read to its end or be left with `finishBody` or `abandonBody`. */
  take(response: Response): RawBody {
    const body = this.bodies.get(response);
    if (body === undefined) throw new Error('Only a good answer has a raw body, and only once.');
    this.bodies.delete(response);
    return body;
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }
}

/** The rest of a body that holds nothing of use any more: read, so that its connection can be used again. */
export function finishBody(body: RawBody): void {
  // The limit counts what was read before, so it cannot bound the rest; the time does.
  body.dump({ limit: Number.MAX_SAFE_INTEGER, signal: AbortSignal.timeout(DRAIN_MS) }).catch(() => {
    abandonBody(body);
  });
}

/** Leaves a body whose rest nobody wants, and closes its connection. */
export function abandonBody(body: RawBody): void {
  // A body that is destroyed before its end tells so as an error; with nobody listening that would end the process.
  body.on('error', () => undefined);
  body.destroy();
}
