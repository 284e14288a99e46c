/** How long a credential is believed without asking the database again, in milliseconds. */
const TTL_MS = 5_000;

/** Credentials that are remembered at the most. */
const CAPACITY = 10_000;

interface Entry<Principal> {
  readonly principal: Promise<Principal>;
  readonly expiresAt: number;
}

/** Remembers who a credential belongs to for a few seconds: a program asks many times in a row with the same one. */
export class PrincipalCache<Principal> {
  private readonly entries = new Map<string, Entry<Principal>>();

  /** The principal of a credential. Equal questions at once are asked once; a refusal is not remembered. */
  get(credential: string, ask: () => Promise<Principal>): Promise<Principal> {
    const known = this.entries.get(credential);
    if (known !== undefined && known.expiresAt > performance.now()) return known.principal;
    const principal = ask();
    this.remember(credential, { principal, expiresAt: performance.now() + TTL_MS });
    principal.catch(() => {
      if (this.entries.get(credential)?.principal === principal) this.entries.delete(credential);
    });
    return principal;
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
