import { Injectable, Logger } from '@nestjs/common';
import { isUnavailable, retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';
import type { BatchRef } from '../model/batch.js';
import type { ItemEnd } from '../model/batch-item.js';
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
  private isStopping = false;

  constructor(private readonly results: ItemResultRepository) {}

  /**
   * Stores the end of an attempt. Resolves after the commit, with the batches whose last item has ended thereby. Never
   * rejects: what cannot be stored before the process ends is left to the sweep, which releases its lease.
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

  /** Gives up on results that the database does not take within a minute. */
  stop(): void {
    this.isStopping = true;
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
      const complete = await this.storeAttempts(entries.map(({ attempt }) => attempt));
      // Each batch is announced once, by the first of its results.
      entries.forEach(({ resolve }, index) => {
        resolve(index === 0 ? complete : []);
      });
    } catch (error) {
      await this.writeParts(entries, error);
    }
  }

  /** Waits for the database for as long as the process runs: the results have been paid for, and are at most as many as run at once. */
  private async storeAttempts(attempts: readonly EndedAttempt[]): Promise<readonly BatchRef[]> {
    for (;;) {
      try {
        return await retryWhileUnavailable(() => this.results.storeAttempts(attempts));
      } catch (error) {
        if (!isUnavailable(error) || this.isStopping) throw error;
      }
    }
  }

  /** A result that the database refuses must not take the others with it, and ends as a failure. */
  private async writeParts(entries: readonly Entry[], error: unknown): Promise<void> {
    const [first] = entries;
    if (first === undefined) return;
    if (isUnavailable(error) || first.attempt.end === REFUSED) {
      this.logger.error(
        { err: error },
        'results of batches could not be stored; their requests will be sent again',
      );
      for (const { resolve } of entries) resolve([]);
      return;
    }
    if (entries.length === 1) {
      const { item } = first.attempt;
      this.logger.error(
        { err: error, batch: item.batchId, line: item.line },
        'the database refused a result',
      );
      await this.write([{ ...first, attempt: { ...first.attempt, end: REFUSED } }]);
      return;
    }
    const half = Math.ceil(entries.length / 2);
    await this.write(entries.slice(0, half));
    await this.write(entries.slice(half));
  }
}

/** The end of an attempt whose result the database refuses, for instance because of its size. Its usage is stored. */
const REFUSED: ItemEnd = {
  status: 'failed',
  errorCode: 'internal_error',
  errorMessage: 'The request was answered, but its result could not be stored.',
};
