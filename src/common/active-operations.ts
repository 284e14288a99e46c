import type { AccountAccess } from './caller.js';
import { TransientSet } from './transient-set.js';

interface ActiveOperation {
  readonly caller: AccountAccess;
  /**
   * Undefined once the operation is unregistered. V8 may have created this object in the old generation, where it would
   * keep the request of the callback until the next major garbage collection.
   */
  stop: (() => void) | undefined;
  remove: (() => void) | undefined;
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
    const operation: ActiveOperation = { caller, stop, remove: undefined };
    operation.remove = this.running.add(operation);
    return () => void unregister(operation);
  }

  /** Stops the operations of an account or a key. */
  stop(shut: { readonly userId: string } | { readonly apiKeyId: string }): void {
    for (const operation of this.running) {
      const { userId, apiKeyId } = operation.caller;
      if ('userId' in shut ? userId === shut.userId : apiKeyId === shut.apiKeyId) unregister(operation)?.();
    }
  }

  /** Returns the accounts and keys of the running operations. */
  callers(): AccountAccess[] {
    return Array.from(this.running, ({ caller }) => caller);
  }
}

/** Unregisters an operation and returns its callback; undefined if it is unregistered already. */
function unregister(operation: ActiveOperation): (() => void) | undefined {
  const { stop } = operation;
  operation.remove?.();
  operation.stop = operation.remove = undefined;
  return stop;
}
