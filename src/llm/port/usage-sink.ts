import type { AttemptRecord, UsageRecorder } from './call.js';

/**
 * Receives the records of stateless calls, which no row owns. It must neither fail nor block: a caller's answer
 * does not wait for the ledger. It may lose the latest records if its process is killed.
 */
export abstract class UsageSink implements UsageRecorder {
  abstract record(call: Parameters<UsageRecorder['record']>[0], attempts: readonly AttemptRecord[]): void;
}
