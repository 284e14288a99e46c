import type { DeadlineConfig } from '../../config/index.js';
import { ProviderError } from '../port/index.js';

/**
 * Limits the time of one attempt: until the first output, between two outputs, and in total. Its signal aborts
 * at the first limit that is exceeded, with a `ProviderError` that names it, or when the caller's signal
 * aborts.
 */
export class Deadlines {
  private readonly controller = new AbortController();
  private readonly total: NodeJS.Timeout | undefined;
  private silence: NodeJS.Timeout;
  private begun = false;
  private held = false;

  private constructor(
    private readonly caller: AbortSignal,
    silenceMs: number,
    totalMs: number | undefined,
    private readonly idleMs: number,
  ) {
    // Implemented by hand, because `AbortSignal.any` costs several times as much, on every call.
    if (caller.aborted) this.follow();
    else caller.addEventListener('abort', this.follow, { once: true });
    this.silence = this.abortOnSilence(silenceMs, 'The model did not start to answer in time.');
    if (totalMs !== undefined)
      this.total = this.abortAfter(totalMs, 'The model did not finish its answer in time.');
  }

  /** Creates the deadlines of a streamed answer. */
  static ofStream(caller: AbortSignal, { firstTokenMs, totalMs, idleMs }: DeadlineConfig): Deadlines {
    return new Deadlines(caller, firstTokenMs, totalMs, idleMs);
  }

  /**
   * Creates the deadlines of an unstreamed answer, which shows no progress until it is complete: its limit on silence is
   * the total as well.
   */
  static ofAnswer(caller: AbortSignal, { answerMs }: DeadlineConfig): Deadlines {
    return new Deadlines(caller, answerMs, undefined, answerMs);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Returns the error of the limit that was exceeded, if any. */
  get exceeded(): ProviderError | undefined {
    const reason: unknown = this.controller.signal.reason;
    return reason instanceof ProviderError ? reason : undefined;
  }

  /** Reports output. From now on the limit on the gap to the next output applies. */
  progress(): void {
    if (this.begun) {
      // Reuse the timer: a stream of a thousand tokens creates one timer and not a thousand.
      this.silence.refresh();
      return;
    }
    this.begun = true;
    clearTimeout(this.silence);
    this.silence = this.abortOnSilence(this.idleMs, 'The model stopped sending in the middle of its answer.');
  }

  /** Pauses the limit on gaps while the consumer does not read: it is not the model that is silent. */
  pause(): void {
    this.held = true;
  }

  /** Resumes the limit on gaps once the consumer reads again. */
  resume(): void {
    this.held = false;
    this.silence.refresh();
  }

  /** Stops all timers. Must be called, or they outlive the attempt. */
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
