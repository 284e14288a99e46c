import { Logger } from '@nestjs/common';
import type { LiveTurn } from './live-turn.js';
import type { TurnRepository } from './turn.repository.js';

/** How often the text so far is stored, in milliseconds. What a kill can take is what came since. */
const INTERVAL_MS = 1000;

/** How often the lease is renewed while no text comes, in milliseconds. */
const RENEWAL_MS = 5000;

/** Stores a running answer's text, and renews its lease, until it is stopped. */
export class Checkpoints {
  private readonly logger = new Logger('Turns');
  private readonly timer: NodeJS.Timeout;
  private running: Promise<void> = Promise.resolve();
  private busy = false;
  private storedLength = 0;
  private storedAt = performance.now();
  /** Tokens that the model is told, for the estimate should the process die. */
  inputTokens = 0;

  /** @param onLost called once when the answer is no longer ours */
  constructor(
    private readonly live: LiveTurn,
    private readonly turns: TurnRepository,
    private readonly onLost: () => void,
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
    const { text, model } = this.live;
    if (text.length === this.storedLength && performance.now() - this.storedAt < RENEWAL_MS) return;
    this.busy = true;
    try {
      const ours = await this.turns.checkpoint(this.live.turn, {
        text,
        model,
        inputTokens: this.inputTokens,
      });
      this.storedLength = text.length;
      this.storedAt = performance.now();
      if (!ours) {
        clearInterval(this.timer);
        this.onLost();
      }
    } catch (error) {
      // The next tick tries again; the text is still in memory, and the lease outlives many ticks.
      this.logger.warn({ err: error }, 'a checkpoint could not be stored');
    } finally {
      this.busy = false;
    }
  }
}
