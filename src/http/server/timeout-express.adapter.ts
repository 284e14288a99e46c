import { createServer, type Server } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';

/** How long a client may take to send a request, and how long it may say nothing. In milliseconds and bytes. */
export interface ConnectionLimits {
  /** From the opening of a connection, or the first byte of a later request, until its headers are there. */
  readonly headersMs: number;
  /** The same until all of its body is there. */
  readonly requestMs: number;
  /** Between two requests of a connection. Longer than load balancers keep theirs, which else meet closed ones. */
  readonly idleMs: number;
  /** Between two looks at which connections are late. */
  readonly checkMs: number;
  /** Most bytes of a request's address and headers together. */
  readonly maxHeaderBytes: number;
}

/** The slowest line that a body of the largest size may come over, in milliseconds a megabyte: 2 Mbit/s. */
const SLOWEST_MS_A_MB = 4_000;

/** The limits of a server that takes bodies of this size. */
export function connectionLimits(maxUploadMb: number): ConnectionLimits {
  return {
    headersMs: 15_000,
    requestMs: Math.max(60_000, maxUploadMb * SLOWEST_MS_A_MB),
    idleMs: 75_000,
    checkMs: 2_000,
    maxHeaderBytes: 16_384,
  };
}

/**
 * Express on a server that cuts slow clients off. Node looks for them only each 30 s unless it is told when the server
 * is made, which is Nest's to do; answers may take as long as they like.
 */
export class TimeoutExpressAdapter extends ExpressAdapter {
  constructor(private readonly limits: ConnectionLimits) {
    super();
  }

  override initHttpServer(): void {
    const { headersMs, requestMs, idleMs, checkMs, maxHeaderBytes } = this.limits;
    const server: Server = createServer(
      {
        headersTimeout: headersMs,
        requestTimeout: requestMs,
        keepAliveTimeout: idleMs,
        connectionsCheckingInterval: checkMs,
        maxHeaderSize: maxHeaderBytes,
        // Node's own refusal has no body; ClientErrorHandler has one.
        requireHostHeader: false,
      },
      this.getInstance(),
    );
    this.httpServer = server;
  }
}
