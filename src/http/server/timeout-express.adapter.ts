import { createServer, type Server } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';

/** Limits for the size and duration of requests and for idle connections, in milliseconds and bytes. */
export interface ConnectionLimits {
  /**
   * Maximum time from the opening of a connection, or the first byte of a later request, until its headers have
   * arrived.
   */
  readonly headersMs: number;
  /** Maximum time from the same moment until the whole body has arrived. */
  readonly requestMs: number;
  /**
   * Maximum idle time between two requests of a connection. Longer than load balancers keep their connections;
   * otherwise they would reuse closed ones.
   */
  readonly idleMs: number;
  /** Interval between checks for connections that are too slow. */
  readonly checkMs: number;
  /** Maximum size of a request's URL and headers together, in bytes. */
  readonly maxHeaderBytes: number;
}

/** Time allowed per megabyte of the largest body, in milliseconds: a connection of 2 Mbit/s. */
const SLOWEST_MS_A_MB = 4_000;

/** Returns the limits of a server that accepts bodies of up to this size. */
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
 * Runs Express on a server that disconnects slow clients. By default, Node checks for them only every 30 s, and the
 * interval can only be set when the server is created, which Nest does. Responses may take any length of time.
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
        // ClientErrorHandler rejects such requests instead, because Node's own response has no body.
        requireHostHeader: false,
      },
      this.getInstance(),
    );
    this.httpServer = server;
  }
}
