import { withTimeout } from '../../common/with-timeout.js';

/** Maximum wait of a scrape for a query, in milliseconds. */
const TIMEOUT_MS = 1_000;

/** Time for which a result is reused, in milliseconds. */
const LIFETIME_MS = 5_000;

/**
 * A query whose result is exported as metrics. It runs at most once at a time and every few seconds, however often and
 * by how many the metrics are scraped, and a scrape waits for it only briefly.
 */
export class CachedQuery<Result> {
  private running: Promise<void> | undefined;
  private result: Result | undefined;
  private queriedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param query returns the current result
   * @param times overrides the timeout and the lifetime, in milliseconds
   */
  constructor(
    private readonly query: () => Promise<Result>,
    private readonly times: { readonly timeoutMs: number; readonly lifetimeMs: number } = {
      timeoutMs: TIMEOUT_MS,
      lifetimeMs: LIFETIME_MS,
    },
  ) {}

  /** Returns the latest result, or undefined if the last query failed or has not answered in time. Never rejects. */
  async get(): Promise<Result | undefined> {
    if (performance.now() - this.queriedAt < this.times.lifetimeMs) return this.result;
    const running = (this.running ??= this.refresh());
    try {
      await withTimeout(this.times.timeoutMs, () => running);
      return this.result;
    } catch {
      return undefined;
    }
  }

  private async refresh(): Promise<void> {
    try {
      this.result = await this.query();
    } catch {
      this.result = undefined;
    } finally {
      this.queriedAt = performance.now();
      this.running = undefined;
    }
  }
}
