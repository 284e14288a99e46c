import { Logger } from '@nestjs/common';
import type { LiveAnswer } from './live-answer.js';
import type { GenerationRepository } from './generation.repository.js';

/** How often the text so far is stored, in milliseconds. What a kill can take is what came since. */
const INTERVAL_MS = 1000;

/** How often the lease is renewed while no text comes, in milliseconds. */
const RENEWAL_MS = 5000;

/** How old the last renewal may be before the lease of 15 s counts as doubtful, in milliseconds. */
const SAFE_MS = 12_000;

/** Stores a running answer's text, and renews its lease, until it is stopped. */
export class Checkpointer {
  private readonly logger = new Logger(Checkpointer.name);
  private readonly timer: NodeJS.Timeout;
  private running: Promise<void> = Promise.resolve();
  private busy = false;
  private storedLength = 0;
  private storedCalls = 0;
  private storedAttempt = 1;
  private storedAt = performance.now();
  /** Tokens that the model is told, for the estimate should the process die. */
  inputTokens = 0;

  /** @param onEnd called once when somebody wants the answer stopped, or it is no longer ours */
  constructor(
    private readonly live: LiveAnswer,
    private readonly generations: GenerationRepository,
    private readonly onEnd: (why: 'stop' | 'lost') => void,
  ) {
    this.timer = setInterval(() => {
      if (!this.busy) this.running = this.store();
    }, INTERVAL_MS);
  }

  /** Ends the checkpoints. Resolves when none is on its way any more. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async store(): Promise<void> {
    const startedAt = performance.now();
    // Whoever else looks may have found the lease run out: what is shown from here on might not be what is stored.
    if (startedAt - this.storedAt > SAFE_MS) this.live.hold();
    const { length, callsLength, model, beginning: attempt } = this.live;
    const changed =
      length !== this.storedLength || callsLength !== this.storedCalls || attempt !== this.storedAttempt;
    if (!changed && startedAt - this.storedAt < RENEWAL_MS) return;
    const { text, callsInOrder: calls } = this.live;
    this.busy = true;
    try {
      const state = await this.generations.checkpoint(this.live.turn, {
        attempt,
        text,
        calls,
        model,
        inputTokens: this.inputTokens,
      });
      this.storedLength = text.length;
      this.storedCalls = callsLength;
      this.storedAttempt = attempt;
      this.storedAt = startedAt;
      if (state !== 'lost') this.live.release();
      if (state !== 'ours') {
        clearInterval(this.timer);
        this.onEnd(state);
      }
    } catch (error) {
      // The next tick tries again; the text is still in memory, and the lease outlives many ticks.
      this.logger.warn({ err: error }, 'could not store a checkpoint');
    } finally {
      this.busy = false;
    }
  }
}
