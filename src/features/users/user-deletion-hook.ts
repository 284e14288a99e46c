/**
 * A feature's part in the deletion of an account, apart from its rows, which are deleted for all features together.
 * Both methods may be called again for the same account, because an interrupted deletion is resumed.
 */
export abstract class UserDeletionHook {
  /** Stops the account's running operations in this process, before its rows are deleted. */
  abstract stop(userId: string): Promise<void>;

  /** Removes the account's data outside the database, after all rows except those of its files and its own. */
  abstract removeData(userId: string): Promise<void>;
}

/** Injection token for the hooks of all features, in the order in which they run. The composition root binds them. */
export const USER_DELETION_HOOKS = Symbol('USER_DELETION_HOOKS');
