import type { AttemptRecord } from './call.js';

/**
 * Takes the records of calls that no row owns, the stateless ones. It must not fail and not wait: a caller's answer
 * does not hang on the ledger. It may lose what it was told last when its process is killed.
 */
export abstract class UsageSink {
  abstract record(
    call: { readonly callId: string; readonly userId: string; readonly apiKeyId?: string | null },
    attempts: readonly AttemptRecord[],
  ): void;
}
