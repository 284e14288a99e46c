import { Agent } from 'undici';
import { MAX_BODY_BYTES } from './broken-body.js';

/** Options of the connections to a provider. */
export interface AgentOptions {
  /** Maximum wait for a connection, in milliseconds. The callers' signals limit every other wait. */
  readonly connectTimeoutMs: number;
}

/** Creates the connection pool of a provider. A body of more than `MAX_BODY_BYTES` ends its connection. */
export function createAgent({ connectTimeoutMs }: AgentOptions): Agent {
  return new Agent({
    connect: { timeout: connectTimeoutMs },
    // Disable undici's own timeouts for headers and body.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAX_BODY_BYTES,
  });
}
