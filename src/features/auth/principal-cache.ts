import type { AccountAccess } from '../../common/caller.js';

/**
 * How long a credential is believed without asking the database again, in milliseconds. Together with the time that
 * `AccessWatch` may take to find what was begun in this while, it stays below five seconds.
 */
const TTL_MS = 2_500;

/** Credentials that are remembered at the most. */
const CAPACITY = 10_000;

interface Entry<Principal> {
  readonly principal: Promise<Principal>;
  readonly expiresAt: number;
  /** Known when the answer is there. */
  owner: AccountAccess | undefined;
}

/** Remembers who a credential belongs to for a few seconds: a program asks many times in a row with the same one. */
export class PrincipalCache<Principal extends AccountAccess> {
  private readonly entries = new Map<string, Entry<Principal>>();

  /** The principal of a credential. Equal questions at once are asked once; a refusal is not remembered. */
  get(credential: string, ask: () => Promise<Principal>): Promise<Principal> {
    const known = this.entries.get(credential);
    if (known !== undefined && known.expiresAt > performance.now()) return known.principal;
    const entry: Entry<Principal> = {
      principal: ask(),
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

  /** Forgets what is known of an account or key, and everything that is being asked: the answer may be an old one. */
  forget(concerns: (owner: AccountAccess) => boolean): void {
    for (const [credential, { owner }] of this.entries) {
      if (owner === undefined || concerns(owner)) this.entries.delete(credential);
    }
  }

  private remember(credential: string, entry: Entry<Principal>): void {
    // A map keeps the order of insertion, so the first is the oldest.
    this.entries.delete(credential);
    this.entries.set(credential, entry);
    if (this.entries.size <= CAPACITY) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }
}
