import type { RequestChange } from './request-changes.js';

/**
 * Lifetime of a learned change, in milliseconds: hosts are updated, and then accept what they refused before.
 */
const TTL_MS = 3_600_000;

/** Maximum number of models in memory; the least recently used are evicted first. */
const MAX_MODELS = 1_000;

interface Lesson {
  readonly changes: ReadonlySet<RequestChange>;
  readonly expiresAt: number;
}

/**
 * Remembers which changes to requests each model of a host needs, so that it need not refuse every request
 * first.
 */
export class LearnedChanges {
  private readonly lessons = new Map<string, Lesson>();

  /** @param now returns milliseconds of a monotonic clock */
  constructor(private readonly now: () => number = () => performance.now()) {}

  of(model: string): ReadonlySet<RequestChange> {
    const lesson = this.lessons.get(model);
    this.lessons.delete(model);
    if (lesson === undefined || lesson.expiresAt <= this.now()) return new Set();
    this.lessons.set(model, lesson);
    return lesson.changes;
  }

  /** Adds changes for a model. Concurrent calls are safe: each adds to the changes present when it ends. */
  add(model: string, changes: Iterable<RequestChange>): void {
    const all = new Set([...this.of(model), ...changes]);
    this.lessons.set(model, { changes: all, expiresAt: this.now() + TTL_MS });
    const [oldest] = this.lessons.keys();
    if (this.lessons.size > MAX_MODELS && oldest !== undefined) this.lessons.delete(oldest);
  }
}
