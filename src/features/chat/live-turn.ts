import type { Turn, TurnOutcome } from './turn.js';

/** What a follower of a turn is told. */
export type TurnEvent =
  /** `end` is the UTF-16 offset of the text after the delta, within the attempt. */
  | { readonly type: 'delta'; readonly attempt: number; readonly delta: string; readonly end: number }
  /** The answer broke off and begins again on another model: all deltas so far are void. */
  | { readonly type: 'restarted'; readonly attempt: number; readonly model: string }
  | { readonly type: 'ended'; readonly attempt: number; readonly outcome: TurnOutcome };

/**
 * A turn while it runs: the text so far and, at last, the outcome. It holds no queue a follower: each reads the one
 * text from where it is, so a slow one gets longer deltas and costs no memory.
 */
export class LiveTurn {
  private pieces: string[] = [];
  private flat = '';
  private attempt = 1;
  private writer: string;
  private ended: TurnOutcome | undefined;
  private wake = Promise.withResolvers<null>();

  constructor(readonly turn: Turn) {
    this.writer = turn.model;
  }

  /** The text so far, of the attempt that is under way. */
  get text(): string {
    if (this.pieces.length > 0) {
      this.flat += this.pieces.join('');
      this.pieces = [];
    }
    return this.flat;
  }

  /** The model that the text is of; what the turn asked for where nothing was written yet. */
  get model(): string {
    return this.writer;
  }

  /** Names the model that begins to write. */
  begin(model: string): void {
    this.writer = model;
  }

  append(delta: string): void {
    this.pieces.push(delta);
    this.notify();
  }

  /** Drops the text: the answer begins again on another model. */
  restart(model: string): void {
    this.pieces = [];
    this.flat = '';
    this.attempt += 1;
    this.writer = model;
    this.notify();
  }

  /** Tells the outcome. Called once, after it is committed. */
  end(outcome: TurnOutcome): void {
    this.ended = outcome;
    this.notify();
  }

  /** Resolves with the outcome. */
  async outcome(): Promise<TurnOutcome> {
    while (this.ended === undefined) await this.wake.promise;
    return this.ended;
  }

  /** The text from the beginning and everything that follows, until the turn ends or the signal aborts. */
  async *follow(signal: AbortSignal): AsyncGenerator<TurnEvent> {
    const gone = Promise.withResolvers<null>();
    const leave = (): void => {
      gone.resolve(null);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      let seen = { attempt: this.attempt, offset: 0 };
      while (!signal.aborted) {
        const { wake } = this;
        const event = this.after(seen);
        if (event === undefined) {
          await Promise.race([wake.promise, gone.promise]);
          continue;
        }
        seen = { attempt: event.attempt, offset: event.type === 'delta' ? event.end : 0 };
        yield event;
        if (event.type === 'ended') return;
      }
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** What a follower has to be told next, or undefined where it knows everything. */
  private after(seen: { readonly attempt: number; readonly offset: number }): TurnEvent | undefined {
    const { text, attempt } = this;
    if (attempt !== seen.attempt) return { type: 'restarted', attempt, model: this.writer };
    if (text.length > seen.offset) {
      return { type: 'delta', attempt, delta: text.slice(seen.offset), end: text.length };
    }
    return this.ended && { type: 'ended', attempt, outcome: this.ended };
  }

  private notify(): void {
    this.wake.resolve(null);
    this.wake = Promise.withResolvers<null>();
  }
}
