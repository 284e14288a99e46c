/**
 * What a feature contributes to the deletion of an account beside its rows, which are deleted for all features
 * together. Both methods may be called again for the same account: a deletion that was interrupted is resumed.
 */
export abstract class UserDeletionHook {
  /** Stops what runs for the account in this process, before its rows are deleted. */
  abstract stop(userId: string): Promise<void>;

  /** Removes what the account has outside the database, after all rows but those of its files and its own. */
  abstract removeData(userId: string): Promise<void>;
}

/** The hooks of all features, in the order in which they run. The composition root binds them. */
export const USER_DELETION_HOOKS = Symbol('USER_DELETION_HOOKS');
