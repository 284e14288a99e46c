import { Logger } from '@nestjs/common';
import type { LiveAnswer } from './live-answer.js';
import type { GenerationRepository } from './generation.repository.js';

/** Interval between checkpoints of the text, in milliseconds. A kill loses at most the text since the last one. */
const INTERVAL_MS = 1000;

/** Interval between lease renewals while no text arrives, in milliseconds. */
const RENEWAL_MS = 5000;

/** Maximum age of the last renewal before the lease of 15 s is considered in doubt, in milliseconds. */
const SAFE_MS = 12_000;

/** Stores the text of a running answer and renews its lease until it is stopped. */
export class Checkpointer {
  private readonly logger = new Logger(Checkpointer.name);
  private readonly timer: NodeJS.Timeout;
  private running: Promise<void> = Promise.resolve();
  private busy = false;
  private storedLength = 0;
  private storedCalls = 0;
  private storedAttempt = 1;
  private storedAt = performance.now();
  /** Tokens sent to the model, for the usage estimate if the process dies. */
  inputTokens = 0;

  /** @param onEnd called once if a stop of the answer was requested, or if the answer is no longer ours */
  constructor(
    private readonly live: LiveAnswer,
    private readonly generations: GenerationRepository,
    private readonly onEnd: (why: 'stop' | 'lost') => void,
  ) {
    this.timer = setInterval(() => {
      if (!this.busy) this.running = this.store();
    }, INTERVAL_MS);
  }

  /** Ends the checkpoints. Resolves once none is in flight. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async store(): Promise<void> {
    const startedAt = performance.now();
    // Another process may have found the lease expired: text shown from here on might differ from the stored text.
    if (startedAt - this.storedAt > SAFE_MS) this.live.hold();
    const { length, callsLength, model, attemptNumber: attempt } = this.live;
    const changed =
      length !== this.storedLength || callsLength !== this.storedCalls || attempt !== this.storedAttempt;
    if (!changed && startedAt - this.storedAt < RENEWAL_MS) return;
    const { text, callsInOrder: calls } = this.live;
    this.busy = true;
    try {
      const state = await this.generations.storeCheckpoint(this.live.turn, {
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
      // The next tick retries; the text is still in memory, and the lease lasts for many ticks.
      this.logger.warn({ err: error }, 'could not store a checkpoint; the next one will contain its text');
    } finally {
      this.busy = false;
    }
  }
}
