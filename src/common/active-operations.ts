import type { AccountAccess } from './caller.js';
import { TransientSet } from './transient-set.js';

interface ActiveOperation {
  readonly caller: AccountAccess;
  readonly stop: () => void;
}

/**
 * Tracks the operations that this process runs for accounts and keys, so that they can be stopped when access is
 * revoked.
 */
export class ActiveOperations {
  private readonly running = new TransientSet<ActiveOperation>();

  /**
   * Registers a running operation.
   * @param stop called at most once, when access is revoked; must not throw
   * @returns function that unregisters it
   */
  register(caller: AccountAccess, stop: () => void): () => void {
    const unregister = this.running.add({
      caller,
      stop: () => {
        unregister();
        stop();
      },
    });
    return unregister;
  }

  /** Stops the operations of an account or a key. */
  stop(shut: { readonly userId: string } | { readonly apiKeyId: string }): void {
    for (const { caller, stop } of this.running) {
      const { userId, apiKeyId } = caller;
      if ('userId' in shut ? userId === shut.userId : apiKeyId === shut.apiKeyId) stop();
    }
  }

  /** Returns the accounts and keys of the running operations. */
  callers(): AccountAccess[] {
    return Array.from(this.running, ({ caller }) => caller);
  }
}
