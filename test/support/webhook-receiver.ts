import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { until } from './stored.js';

/** A request that a receiver got. */
export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The body, as it was sent. */
  readonly body: string;
}

/** Answers a request, or leaves it without an answer. */
type ReceiverBehavior = (response: ServerResponse) => void;

/** A real receiver of webhooks: an HTTP server on an address of the loopback network. */
export class WebhookReceiver {
  readonly requests: ReceivedRequest[] = [];
  private readonly behaviors = new Map<string, ReceiverBehavior[]>();

  private constructor(
    readonly port: number,
    readonly origin: string,
    readonly close: () => Promise<void>,
  ) {}

  /** @param port port to listen on, a free one by default */
  static async start(address = '127.0.0.1', port = 0): Promise<WebhookReceiver> {
    const server = createServer((request, response) => {
      void (async () => {
        const body = Buffer.concat(await Array.fromAsync<Buffer>(request)).toString();
        receiver.answer({ path: request.url ?? '', headers: request.headers, body }, response);
      })();
    });
    server.listen(port, address);
    await once(server, 'listening');
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('The receiver has no port.');
    const receiver = new WebhookReceiver(bound.port, `http://${address}:${bound.port}`, async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
    return receiver;
  }

  /** Scripts the answers to the next requests for a path; the last one is repeated. Others are answered with 200. */
  script(path: string, ...behaviors: readonly (number | ReceiverBehavior)[]): void {
    const scripted = behaviors.map((behavior) =>
      typeof behavior === 'number' ? answerWith(behavior) : behavior,
    );
    this.behaviors.set(path, scripted);
  }

  /** Waits until a path has got a number of requests, and returns them. */
  received(path: string, count = 1): Promise<ReceivedRequest[]> {
    return until(`${count} requests for ${path}`, () => {
      const requests = this.requestsFor(path);
      return requests.length >= count && requests;
    });
  }

  /** Returns the requests for a path so far. */
  requestsFor(path: string): ReceivedRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  private answer(request: ReceivedRequest, response: ServerResponse): void {
    this.requests.push(request);
    const scripted = this.behaviors.get(request.path) ?? [];
    const behavior = (scripted.length > 1 ? scripted.shift() : scripted[0]) ?? answerWith(200);
    behavior(response);
  }
}

/** Answers with a status and headers. */
export function answerWith(status: number, headers: Readonly<Record<string, string>> = {}): ReceiverBehavior {
  return (response) => {
    response.writeHead(status, headers).end('{"ignored":true}');
  };
}

/** Never answers. */
export const hang: ReceiverBehavior = () => undefined;
