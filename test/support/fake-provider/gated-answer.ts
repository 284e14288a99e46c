import { EventEmitter, once } from 'node:events';

import type { Content, Failure, Pace } from './script.js';

/** How the test lets a gated answer end. */
export type GateEnding = { how: 'finish' | 'cut' | 'reset' } | { how: 'fail'; error: Failure };

/** Options of a gated answer. */
export interface GateOptions extends Omit<Content, 'text'>, Pace {
  /** Hold back even the status line until something is released. */
  holdHeaders?: boolean;
}

/**
 * An answer whose output chunks the test lets out one by one, so that no test has to sleep. Without streaming
 * the whole body leaves when the answer is finished. Several requests may share one gate.
 */
export class GatedAnswer {
  readonly kind = 'gated';
  readonly content: Content & Pace;
  readonly holdHeaders: boolean;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #released = 0;
  #ending: GateEnding | undefined;

  constructor(text: readonly string[], { holdHeaders = false, ...content }: GateOptions = {}) {
    this.content = { ...content, text };
    this.holdHeaders = holdHeaders;
  }

  /** Lets `count` more output chunks out. */
  release(count = 1): void {
    this.#released += count;
    this.#changes.emit('change');
  }

  /** Lets all output chunks out; the end still waits for {@link finish}. */
  releaseAll(): void {
    this.release(Number.POSITIVE_INFINITY);
  }

  /** Lets out all that is left, and the proper end. */
  finish(): void {
    this.#released = Number.POSITIVE_INFINITY;
    this.#end({ how: 'finish' });
  }

  /** Ends the response cleanly after what was released, with no finish reason. */
  cut(): void {
    this.#end({ how: 'cut' });
  }

  /** Resets the connection after what was released. */
  reset(): void {
    this.#end({ how: 'reset' });
  }

  /** Sends an error frame after what was released. */
  fail(error: Failure): void {
    this.#end({ how: 'fail', error });
  }

  /** Waits until chunk `index` may leave; false: the answer ends before it. */
  async mayPass(index: number, signal: AbortSignal): Promise<boolean> {
    while (this.#released <= index && this.#ending === undefined) {
      await once(this.#changes, 'change', { signal });
    }
    return index < this.#released;
  }

  /** Waits until the test has said how the answer ends. */
  async ending(signal: AbortSignal): Promise<GateEnding> {
    while (this.#ending === undefined) {
      await once(this.#changes, 'change', { signal });
    }
    return this.#ending;
  }

  #end(ending: GateEnding): void {
    this.#ending ??= ending;
    this.#changes.emit('change');
  }
}

/** Makes an answer whose chunks the test releases. */
export function gatedAnswer(text: readonly string[], options?: GateOptions): GatedAnswer {
  return new GatedAnswer(text, options);
}
