/**
 * What has to be done about an account, beside its rows, before it is deleted: stop what runs for it, remove what lies
 * outside of the database. Rows go by themselves, with the account's.
 */
export abstract class PurgeHook {
  /** May be called again for the same account, where an earlier deletion was broken off. */
  abstract purge(userId: string): Promise<void>;
}

/** The hooks of all features, in the order in which they run. The composition root binds them. */
export const PURGE_HOOKS = Symbol('PURGE_HOOKS');
