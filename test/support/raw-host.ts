import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A request that reached a raw host. */
export interface HostRequest {
  /** The name of the host, which is the first segment of the path. */
  readonly host: string;
  /** The rest of the path, with the query. */
  readonly path: string;
  /** The parsed body, or undefined if there is none. */
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
}

/** A response sent byte by byte. */
export interface RawReply {
  /** Default: 200. */
  readonly status?: number;
  /** Default: the content type of JSON. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Returns the response to a request. */
export type RawReplier = (request: HostRequest) => RawReply;

/**
 * Model hosts on one real socket, distinguished by the first segment of the path. Each sends exactly the
 * bytes and headers that a test specifies, even invalid ones.
 */
export class RawHosts {
  /** All requests except those for lists of models, in order. */
  readonly requests: HostRequest[] = [];
  private readonly server: Server = createServer((request, response) => {
    this.serve(request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  });

  /** @param repliers by the name of the host; other hosts respond with 404 */
  constructor(private readonly repliers: Readonly<Record<string, RawReplier>>) {}

  /** Base URL of a host. */
  urlOf(host: string): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('The hosts do not listen.');
    return `http://127.0.0.1:${address.port}/${host}`;
  }

  /** Counts the requests to a host after the given number of requests. */
  asked(host: string, since = 0): number {
    return this.requests.slice(since).filter((request) => request.host === host).length;
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, host = '', ...rest] = (request.url ?? '').split('/');
    const bytes = await buffer(request);
    const body: unknown = bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8'));
    const asked: HostRequest = { host, path: `/${rest.join('/')}`, body, headers: request.headers };
    if (request.method !== 'GET') this.requests.push(asked);
    const reply = this.repliers[host]?.(asked) ?? { status: 404, body: '{"error":"There is no such host."}' };
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
    response.end(reply.body);
  }
}
