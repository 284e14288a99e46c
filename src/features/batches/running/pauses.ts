/** First delay without a hint, and the longest one, in milliseconds. */
const DELAY_MS = { first: 1_000, longest: 60_000 } as const;

/** Number of keys beyond which those that are not paused now are forgotten. */
const MAX_KEYS = 1_000;

interface Pause {
  readonly until: number;
  /** Number of pauses in a row. */
  readonly count: number;
}

/** Pauses of providers or accounts in this process, by key. Times are those of a monotonic clock, in milliseconds. */
export class Pauses {
  private readonly pauses = new Map<string, Pause>();

  /** @param now returns the time */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * Pauses a key. A pause that is longer already stays. Without a hint each pause in a row is twice as long.
   * @param hintMs delay that the other side asks for
   */
  pause(key: string, hintMs: number | undefined): void {
    const now = this.now();
    const known = this.pauses.get(key);
    // Failures of calls that ran side by side count once.
    if (known !== undefined && known.until > now) return;
    const count = (known?.count ?? 0) + 1;
    const ownMs = Math.min(DELAY_MS.longest, DELAY_MS.first * 2 ** (count - 1));
    if (this.pauses.size >= MAX_KEYS) this.forgetPast(now);
    this.pauses.set(key, { until: now + Math.min(DELAY_MS.longest, hintMs ?? ownMs), count });
  }

  /** Forgets the pauses of a key that works. One that is in progress stays. */
  succeed(key: string): void {
    const known = this.pauses.get(key);
    if (known !== undefined && known.until <= this.now()) this.pauses.delete(key);
  }

  private forgetPast(now: number): void {
    for (const [key, { until }] of this.pauses) if (until <= now) this.pauses.delete(key);
  }

  /** Returns the keys that are paused now. */
  activeKeys(): string[] {
    const now = this.now();
    return Array.from(this.pauses).flatMap(([key, { until }]) => (until > now ? [key] : []));
  }

  /** Returns the time until the next pause ends; undefined if there is none. */
  nextEndMs(): number | undefined {
    const now = this.now();
    const waits = Array.from(this.pauses.values(), ({ until }) => until - now).filter((wait) => wait > 0);
    return waits.length === 0 ? undefined : Math.min(...waits);
  }
}
