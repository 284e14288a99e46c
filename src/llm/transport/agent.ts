import { Agent } from 'undici';
import { MAX_BODY_BYTES } from './broken-body.js';

/** Options of the connections to a provider. */
export interface AgentOptions {
  /** Longest wait for a connection, in milliseconds. The callers' signals bound every other wait. */
  readonly connectTimeoutMs: number;
}

/** Creates the connections to a provider. A body of more than `MAX_BODY_BYTES` ends its connection. */
export function createAgent({ connectTimeoutMs }: AgentOptions): Agent {
  return new Agent({
    connect: { timeout: connectTimeoutMs },
    // undici's own deadlines for headers and body are off.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAX_BODY_BYTES,
  });
}
