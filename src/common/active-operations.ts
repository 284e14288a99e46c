import type { AccountAccess } from './caller.js';

interface Activity {
  readonly caller: AccountAccess;
  readonly stop: () => void;
}

/** What runs in this process on behalf of accounts and keys, so that it can be stopped when one of them is shut out. */
export class ActiveOperations {
  private readonly running = new Set<Activity>();

  /**
   * Remembers something that runs.
   * @param stop called once at the most, when the account or key is shut out; it must not throw
   * @returns forgets it
   */
  register(caller: AccountAccess, stop: () => void): () => void {
    const activity = { caller, stop };
    this.running.add(activity);
    return () => {
      this.running.delete(activity);
    };
  }

  /** Stops what runs for an account, or with a key. */
  stop(shut: { readonly userId: string } | { readonly apiKeyId: string }): void {
    for (const activity of this.running) {
      const { userId, apiKeyId } = activity.caller;
      if ('userId' in shut ? userId !== shut.userId : apiKeyId !== shut.apiKeyId) continue;
      this.running.delete(activity);
      activity.stop();
    }
  }

  /** For whom something runs. */
  callers(): AccountAccess[] {
    return Array.from(this.running, ({ caller }) => caller);
  }
}
