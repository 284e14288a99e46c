import type { Run } from './audit-runs.js';

/** The events of a run: counts, a history for each answer or question, and violations. */
export class Journal {
  readonly #began = performance.now();
  readonly #counts = new Map<string, number>();
  readonly #history = new Map<string, string[]>();
  readonly #violated = new Set<string>();

  /** Increments a counter, by one or more. */
  count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }

  countOf(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** @param subject the id of an answer, or the text of a question */
  note(subject: string, what: string): void {
    const lines = this.#history.get(subject) ?? [];
    lines.push(`${(performance.now() - this.#began).toFixed(0).padStart(6)} ms  ${what}`);
    this.#history.set(subject, lines);
  }

  violate(subject: string, what: string): void {
    this.note(subject, `VIOLATION: ${what}`);
    this.#violated.add(subject);
  }

  /** All counts in one line. */
  get figures(): string {
    return Array.from(this.#counts, ([what, count]) => `${count} ${what}`)
      .sort((one, other) => one.replace(/^\d+ /, '').localeCompare(other.replace(/^\d+ /, '')))
      .join(', ');
  }

  /**
   * Returns the result of a run.
   * @param settledMs time after the storm until nothing ran any more, in milliseconds
   */
  toRun(settledMs: number): Run {
    const { figures, violations } = this;
    return {
      figures: `${figures}; all had ended ${(settledMs / 1000).toFixed(0)} s after the storm`,
      violations,
    };
  }

  /** The histories with a violation; empty if there is none. */
  get violations(): readonly string[] {
    return Array.from(this.#violated, (subject) =>
      [subject, ...(this.#history.get(subject) ?? [])].join('\n  '),
    );
  }
}
