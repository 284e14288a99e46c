/** What happened in a run: counted, told by the answer that it happened to, and what should not have happened. */
export class Journal {
  readonly #began = performance.now();
  readonly #counts = new Map<string, number>();
  readonly #history = new Map<string, string[]>();
  readonly #violated = new Set<string>();

  /** One more of these. */
  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
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

  /** One line of all counts. */
  get figures(): string {
    return Array.from(this.#counts, ([what, count]) => `${count} ${what}`)
      .sort((one, other) => one.replace(/^\d+ /, '').localeCompare(other.replace(/^\d+ /, '')))
      .join(', ');
  }

  /** The histories in which something is wrong; none where all is well. */
  get violations(): readonly string[] {
    return Array.from(this.#violated, (subject) =>
      [subject, ...(this.#history.get(subject) ?? [])].join('\n  '),
    );
  }
}
