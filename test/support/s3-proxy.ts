import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** A response that the proxy gives in place of the server's: `stall` gives none, `cut` ends the body after 1,000 bytes. */
export type S3Fault = { readonly status: number; readonly body?: string } | 'stall' | 'cut';

/** An HTTP proxy between the SDK and the S3-compatible server, which records requests and can fail. */
export class S3Proxy {
  /** Method and path with query of each request, in order of arrival. */
  readonly requests: string[] = [];
  /** Chooses the fault of a request; undefined to pass it on. */
  fault: (line: string) => S3Fault | undefined = () => undefined;
  private readonly server: Server;

  private constructor(private readonly target: URL) {
    this.server = createServer((incoming, response) => {
      this.pass(incoming, response);
    });
  }

  /** Starts a proxy to a server. */
  static async start(target: string): Promise<S3Proxy> {
    const proxy = new S3Proxy(new URL(target));
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy does not listen.');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Resolves when the client ends the connection of a response that is being sent. */
  async nextAbort(): Promise<void> {
    await once(this.server, 'client-left');
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private pass(incoming: IncomingMessage, response: ServerResponse): void {
    const line = `${incoming.method ?? ''} ${incoming.url ?? ''}`;
    this.requests.push(line);
    response.on('close', () => {
      if (!response.writableFinished) this.server.emit('client-left');
    });
    const fault = this.fault(line);
    if (fault !== undefined && fault !== 'cut') {
      incoming.resume();
      if (fault !== 'stall') response.writeHead(fault.status).end(fault.body);
      return;
    }
    const { hostname, port } = this.target;
    const { method, url: path, headers } = incoming;
    const upstream = request({ hostname, port, method, path, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      if (fault === undefined) {
        reply.pipe(response);
        return;
      }
      reply.once('data', (piece: Buffer) => {
        response.write(piece.subarray(0, 1000), () => response.destroy());
        reply.destroy();
      });
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }
}
