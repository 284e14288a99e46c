import { Injectable, Logger } from '@nestjs/common';
import { retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';
import type { BatchRef } from '../model/batch.js';
import { type EndedAttempt, ItemResultRepository } from '../rows/item-result.repository.js';

/** Time for which a result waits for others, in milliseconds. */
const WAIT_MS = 10;

/** Number of results that do not wait. */
const MAX_RESULTS = 50;

/** Size of the responses that do not wait, in characters. */
const MAX_CHARACTERS = 2 * 2 ** 20;

interface Entry {
  readonly attempt: EndedAttempt;
  readonly resolve: (complete: readonly BatchRef[]) => void;
}

/** Collects the results of items, and stores those of a few milliseconds in one transaction. */
@Injectable()
export class ResultBuffer {
  private readonly logger = new Logger(ResultBuffer.name);
  private entries: Entry[] = [];
  private characters = 0;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly results: ItemResultRepository) {}

  /**
   * Stores the end of an attempt. Resolves after the commit, with the batches whose last item has ended thereby. Never
   * rejects: what the database refuses for good is left to the sweep, which releases its lease.
   */
  store(attempt: EndedAttempt): Promise<readonly BatchRef[]> {
    return new Promise((resolve) => {
      this.entries.push({ attempt, resolve });
      this.characters += 'response' in attempt.end ? attempt.end.response.length : 0;
      if (this.entries.length >= MAX_RESULTS || this.characters >= MAX_CHARACTERS) this.flush();
      else
        this.timer ??= setTimeout(() => {
          this.flush();
        }, WAIT_MS);
    });
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { entries } = this;
    this.entries = [];
    this.characters = 0;
    // One after the other: two transactions would wait for the same batch anyway.
    this.writing = this.writing.then(() => this.write(entries));
  }

  private async write(entries: readonly Entry[]): Promise<void> {
    try {
      const attempts = entries.map(({ attempt }) => attempt);
      const complete = await retryWhileUnavailable(() => this.results.storeAttempts(attempts));
      // Each batch is announced once, by the first of its results.
      entries.forEach(({ resolve }, index) => {
        resolve(index === 0 ? complete : []);
      });
    } catch (error) {
      await this.writeHalves(entries, error);
    }
  }

  /** A result that the database refuses must not take the others with it. */
  private async writeHalves(entries: readonly Entry[], error: unknown): Promise<void> {
    const [only] = entries;
    if (entries.length <= 1) {
      this.logger.error(
        { err: error },
        'a result of a batch could not be stored; its request will be sent again',
      );
      only?.resolve([]);
      return;
    }
    const half = Math.ceil(entries.length / 2);
    await this.write(entries.slice(0, half));
    await this.write(entries.slice(half));
  }
}
