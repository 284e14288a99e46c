import type { AccessChange } from '../../common/access-change.js';
import type { AccountAccess } from '../../common/caller.js';

/**
 * Time for which a verified credential is cached, in milliseconds. Together with the time that `AccessWatch` may
 * take to find operations started in the meantime, it stays below five seconds.
 */
const TTL_MS = 2_500;

/** Maximum number of cached credentials. */
const CAPACITY = 10_000;

interface Entry<Principal> {
  readonly principal: Promise<Principal>;
  readonly expiresAt: number;
  /** Set once the verification has succeeded. */
  owner: AccountAccess | undefined;
}

/**
 * Caches the owner of a credential for a few seconds, because programs send many requests in a row with the same
 * one.
 */
export class PrincipalCache<Principal extends AccountAccess> {
  private readonly entries = new Map<string, Entry<Principal>>();

  /** Returns the principal of a credential. Concurrent calls share one verification; rejections are not cached. */
  get(credential: string, verify: () => Promise<Principal>): Promise<Principal> {
    const known = this.entries.get(credential);
    if (known !== undefined && known.expiresAt > performance.now()) return known.principal;
    const entry: Entry<Principal> = {
      principal: verify(),
      expiresAt: performance.now() + TTL_MS,
      owner: undefined,
    };
    this.remember(credential, entry);
    entry.principal.then(
      (owner) => {
        entry.owner = owner;
      },
      () => {
        if (this.entries.get(credential) === entry) this.entries.delete(credential);
      },
    );
    return entry.principal;
  }

  /** Drops what a change of access concerns. */
  forgetChanged(change: AccessChange): void {
    this.forget(({ userId, apiKeyId }) =>
      'userId' in change ? userId === change.userId : apiKeyId === change.apiKeyId,
    );
  }

  /** Drops cached credentials of an account or key, and all pending verifications: their result may be outdated. */
  forget(concerns: (owner: AccountAccess) => boolean): void {
    for (const [credential, { owner }] of this.entries) {
      if (owner === undefined || concerns(owner)) this.entries.delete(credential);
    }
  }

  private remember(credential: string, entry: Entry<Principal>): void {
    // A map preserves insertion order, so the first entry is the oldest.
    this.entries.delete(credential);
    this.entries.set(credential, entry);
    if (this.entries.size <= CAPACITY) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }
}
