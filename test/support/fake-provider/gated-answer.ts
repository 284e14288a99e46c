import { EventEmitter, once } from 'node:events';

import type { Content, Failure, Pace } from './script.js';

/** The ending of a gated answer that the test chooses. */
export type GateEnding = { how: 'finish' | 'cut' | 'reset' } | { how: 'fail'; error: Failure };

/** Options of a gated answer. */
export interface GateOptions extends Omit<Content, 'text'>, Pace {
  /** Holds back even the status line until something is released. */
  holdHeaders?: boolean;
}

/**
 * An answer whose output chunks the test releases one by one, so that no test has to sleep. Without streaming
 * the whole body is sent when the answer is finished. Several requests can share one gate.
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

  /** Releases `count` more output chunks. */
  release(count = 1): void {
    this.#released += count;
    this.#changes.emit('change');
  }

  /** Releases all output chunks; the end still waits for {@link finish}. */
  releaseAll(): void {
    this.release(Number.POSITIVE_INFINITY);
  }

  /** Releases all remaining chunks and ends properly. */
  finish(): void {
    this.#released = Number.POSITIVE_INFINITY;
    this.#end({ how: 'finish' });
  }

  /** Ends the response cleanly after the released chunks, without a finish reason. */
  cut(): void {
    this.#end({ how: 'cut' });
  }

  /** Resets the connection after the released chunks. */
  reset(): void {
    this.#end({ how: 'reset' });
  }

  /** Sends an error frame after the released chunks. */
  fail(error: Failure): void {
    this.#end({ how: 'fail', error });
  }

  /** Waits until chunk `index` is released; returns false if the answer ends before it. */
  async mayPass(index: number, signal: AbortSignal): Promise<boolean> {
    while (this.#released <= index && this.#ending === undefined) {
      await once(this.#changes, 'change', { signal });
    }
    return index < this.#released;
  }

  /** Waits until the test has chosen the ending. */
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

/** Creates an answer whose chunks the test releases. */
export function gatedAnswer(text: readonly string[], options?: GateOptions): GatedAnswer {
  return new GatedAnswer(text, options);
}
