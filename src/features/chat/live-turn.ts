import type { Turn, TurnOutcome } from './turn.js';

/** What a follower of a turn is told. */
export type TurnEvent =
  /** `end` is the UTF-16 offset of the text after the delta. */
  | { readonly type: 'delta'; readonly delta: string; readonly end: number }
  | { readonly type: 'ended'; readonly outcome: TurnOutcome };

/**
 * A turn while it runs: the text so far and, at last, the outcome. It holds no queue a follower: each reads the one
 * text from where it is, so a slow one gets longer deltas and costs no memory.
 */
export class LiveTurn {
  private pieces: string[] = [];
  private flat = '';
  private ended: TurnOutcome | undefined;
  private wake = Promise.withResolvers<null>();

  constructor(readonly turn: Turn) {}

  /** The text so far. */
  get text(): string {
    if (this.pieces.length > 0) {
      this.flat += this.pieces.join('');
      this.pieces = [];
    }
    return this.flat;
  }

  append(delta: string): void {
    this.pieces.push(delta);
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
      let offset = 0;
      while (!signal.aborted) {
        const { text, ended, wake } = this;
        if (text.length > offset) {
          const delta = text.slice(offset);
          offset = text.length;
          yield { type: 'delta', delta, end: offset };
        } else if (ended !== undefined) {
          yield { type: 'ended', outcome: ended };
          return;
        } else {
          await Promise.race([wake.promise, gone.promise]);
        }
      }
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  private notify(): void {
    this.wake.resolve(null);
    this.wake = Promise.withResolvers<null>();
  }
}
