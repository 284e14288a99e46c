import type { DeadlineConfig } from '../../config/index.js';
import { ProviderError } from '../port/index.js';

/**
 * Bounds the waiting for one attempt: until the first sign of an answer, between two, and in all. Its signal aborts
 * at the first bound that is passed, with the `ProviderError` that says which, or when the caller's does.
 */
export class Deadlines {
  private readonly controller = new AbortController();
  private readonly total: NodeJS.Timeout;
  private silence: NodeJS.Timeout;
  private begun = false;
  private held = false;

  private constructor(
    private readonly caller: AbortSignal,
    silenceMs: number,
    totalMs: number,
    private readonly idleMs: number,
  ) {
    // By hand, because `AbortSignal.any` costs several times as much, and is paid with every call.
    if (caller.aborted) this.follow();
    else caller.addEventListener('abort', this.follow, { once: true });
    this.silence = this.abortOnSilence(silenceMs, 'The model did not start to answer in time.');
    this.total = this.abortAfter(totalMs, 'The model did not finish its answer in time.');
  }

  /** For an answer that comes in pieces. */
  static ofStream(caller: AbortSignal, { firstTokenMs, totalMs, idleMs }: DeadlineConfig): Deadlines {
    return new Deadlines(caller, firstTokenMs, totalMs, idleMs);
  }

  /** For an answer that comes whole: there is nothing to see until it is there. */
  static ofAnswer(caller: AbortSignal, { answerMs }: DeadlineConfig): Deadlines {
    return new Deadlines(caller, answerMs, answerMs, answerMs);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The bound that was passed, if one was. */
  get passed(): ProviderError | undefined {
    const reason: unknown = this.controller.signal.reason;
    return reason instanceof ProviderError ? reason : undefined;
  }

  /** Something of the answer came: from now on the gap to the next is what counts. */
  progress(): void {
    if (this.begun) {
      // The same timer again: a stream of a thousand tokens makes one timer and not a thousand.
      this.silence.refresh();
      return;
    }
    this.begun = true;
    clearTimeout(this.silence);
    this.silence = this.abortOnSilence(this.idleMs, 'The model stopped sending in the middle of its answer.');
  }

  /** Whoever reads the answer reads no further for now: it is not the model that is silent. */
  hold(): void {
    this.held = true;
  }

  /** The answer is read on. */
  release(): void {
    this.held = false;
    this.silence.refresh();
  }

  /** Ends the watch. Must be called, or the timers outlive the attempt. */
  stop(): void {
    clearTimeout(this.silence);
    clearTimeout(this.total);
    this.caller.removeEventListener('abort', this.follow);
  }

  private readonly follow = (): void => {
    this.controller.abort(this.caller.reason);
  };

  private abortOnSilence(ms: number, message: string): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.held) this.silence.refresh();
      else this.controller.abort(new ProviderError('timeout', message));
    }, ms);
  }

  private abortAfter(ms: number, message: string): NodeJS.Timeout {
    return setTimeout(() => {
      this.controller.abort(new ProviderError('timeout', message));
    }, ms);
  }
}
