import type { AnswerLog, LogEntry, LoggedText } from './answer-log.js';
import type { AnswerSource, Progress } from './answer-source.js';
import { GrowingText } from './growing-text.js';
import type { Turn, TurnOutcome } from './turn.js';

/** Pieces that come within this time are logged together, in milliseconds. */
const COALESCE_MS = 20;

/** A turn while this process runs it: the text so far and, at last, the outcome. */
export class LiveTurn implements AnswerSource {
  private written = new GrowingText();
  /** The first half of a surrogate pair whose second one has not come yet. */
  private half = '';
  private attempt = 1;
  private writer: string;
  private ended: TurnOutcome | undefined;
  private wake = Promise.withResolvers<null>();
  /** What other processes could tell as well, and followers here therefore may be told. */
  private held = false;
  private shown = { attempt: 1, length: 0 };
  private unlogged: LogEntry[] = [];
  private flushing: NodeJS.Timeout | undefined;

  constructor(
    readonly turn: Turn,
    private readonly log: AnswerLog,
  ) {
    this.writer = turn.model;
  }

  get conversationId(): string {
    return this.turn.conversationId;
  }

  get answerId(): string {
    return this.turn.answerId;
  }

  /** All text so far, of the attempt that is under way. */
  get text(): string {
    return this.written.toString();
  }

  /** How long that text is, in UTF-16 units. */
  get length(): number {
    return this.written.length;
  }

  /** The model that the text is of; what the turn asked for where nothing was written yet. */
  get model(): string {
    return this.writer;
  }

  /** The number of the attempt that the text is of. */
  get beginning(): number {
    return this.attempt;
  }

  /** Names the model that begins to write. */
  begin(model: string): void {
    this.writer = model;
  }

  /**
   * Adds whole characters only. Models cut within surrogate pairs too, and half of one can neither be stored nor
   * logged: what followers were shown would not be what is stored.
   */
  append(piece: string): void {
    const text = this.half + piece;
    this.half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
    const delta = text.slice(0, text.length - this.half.length).toWellFormed();
    if (delta === '') return;
    const { attempt, length: start } = this;
    this.written.append(delta);
    this.record({ type: 'delta', attempt, start, delta });
  }

  /** Drops the text: the answer begins again on another model. */
  restart(model: string): void {
    this.written = new GrowingText();
    this.half = '';
    this.attempt += 1;
    this.writer = model;
    this.record({ type: 'restarted', attempt: this.attempt, model });
  }

  /**
   * Tells the outcome. Called once, after it is committed: the row has all of the text now.
   * @param stored what the row has where somebody else has ended the answer; followers go back to it
   */
  end(outcome: TurnOutcome, stored?: LoggedText): void {
    clearTimeout(this.flushing);
    if (stored !== undefined) {
      this.attempt = stored.attempt;
      this.written = new GrowingText();
      this.written.append(stored.text);
    }
    this.ended = outcome;
    this.held = false;
    this.show();
    void this.log.append(this.answerId, [{ type: 'ended' }]);
  }

  progress(): Progress {
    const { attempt, length } = this.shown;
    // Where the answer has begun again and that is not shown yet, there is nothing more to tell of the attempt before.
    const { written } = this;
    const slice = attempt === this.attempt ? written.slice.bind(written) : (): string => '';
    return { attempt, length, slice, model: this.writer, outcome: this.ended };
  }

  async changed(signal: AbortSignal): Promise<void> {
    const gone = Promise.withResolvers<null>();
    const leave = (): void => {
      gone.resolve(null);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([this.wake.promise, gone.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** The turn goes on, whoever follows it. */
  close(): void {
    // Nothing is kept for a follower.
  }

  /** From now on nothing more is shown: the lease is in doubt, and with it whether the text will be what is stored. */
  hold(): void {
    // Where there is no log there is no other process, and nobody to take the answer away.
    this.held = this.log.enabled;
  }

  /** Shows what was held back. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    this.flushing ??= setTimeout(() => void this.flush(), 0);
  }

  /** What is new is shown at once where no other process can be asked for it, else as soon as it is in the log. */
  private record(entry: LogEntry): void {
    if (!this.log.enabled) {
      this.show();
      return;
    }
    this.unlogged.push(entry);
    this.flushing ??= setTimeout(() => void this.flush(), COALESCE_MS);
  }

  private async flush(): Promise<void> {
    this.flushing = undefined;
    if (this.held) return;
    const entries = this.unlogged;
    this.unlogged = [];
    const { attempt, length } = this;
    const logged = await this.log.append(this.answerId, entries);
    if (this.ended !== undefined) return;
    // They are shown all the same, and go before the next ones: the log must not have a gap.
    if (!logged) this.unlogged.unshift(...entries);
    this.shown = { attempt, length };
    this.notify();
    if (this.unlogged.length > 0) this.flushing ??= setTimeout(() => void this.flush(), COALESCE_MS);
  }

  private show(): void {
    this.shown = { attempt: this.attempt, length: this.length };
    this.notify();
  }

  private notify(): void {
    this.wake.resolve(null);
    this.wake = Promise.withResolvers<null>();
  }
}
