import type { RequestChange } from './request-changes.js';

/** Lifetime of a lesson, in milliseconds: hosts are updated, and then take what they refused. */
const TTL_MS = 3_600_000;

/** Most models that lessons are kept of; the least recently used go first. */
const MAX_MODELS = 1_000;

interface Lesson {
  readonly changes: ReadonlySet<RequestChange>;
  readonly expiresAt: number;
}

/** The changes to requests that each model of a host turned out to need, so that it need not refuse every request first. */
export class LearnedChanges {
  private readonly lessons = new Map<string, Lesson>();

  /** @param now milliseconds of a clock that never goes back */
  constructor(private readonly now: () => number = () => performance.now()) {}

  of(model: string): ReadonlySet<RequestChange> {
    const lesson = this.lessons.get(model);
    this.lessons.delete(model);
    if (lesson === undefined || lesson.expiresAt <= this.now()) return new Set();
    this.lessons.set(model, lesson);
    return lesson.changes;
  }

  /** Calls that learn at the same time do no harm: each adds to what is there when it ends. */
  add(model: string, changes: Iterable<RequestChange>): void {
    const all = new Set([...this.of(model), ...changes]);
    this.lessons.set(model, { changes: all, expiresAt: this.now() + TTL_MS });
    const [oldest] = this.lessons.keys();
    if (this.lessons.size > MAX_MODELS && oldest !== undefined) this.lessons.delete(oldest);
  }
}
