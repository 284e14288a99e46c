import type { AttemptRecord } from './call.js';

/**
 * Receives the records of stateless calls, which no row owns. It must neither fail nor block: a caller's answer
 * does not wait for the ledger. It may lose the latest records if its process is killed.
 */
export abstract class UsageSink {
  abstract record(
    call: { readonly callId: string; readonly userId: string; readonly apiKeyId?: string | null },
    attempts: readonly AttemptRecord[],
  ): void;
}
