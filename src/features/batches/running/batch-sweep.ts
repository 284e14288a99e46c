import { Injectable } from '@nestjs/common';
import { BatchSweepRepository } from '../rows/batch-sweep.repository.js';
import { ItemClaimRepository } from '../rows/item-claim.repository.js';
import { ItemResultRepository } from '../rows/item-result.repository.js';

/** Finds what is due and nobody announces. Runs in every process with jobs; concurrent runs are harmless. */
@Injectable()
export class BatchSweep {
  constructor(
    private readonly claims: ItemClaimRepository,
    private readonly results: ItemResultRepository,
    private readonly batches: BatchSweepRepository,
  ) {}

  /** Releases items of dead processes, ends batches that are to end, and deletes rows, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.releaseItems();
    await this.batches.expireBatches();
    await this.batches.cancelKeylessBatches();
    await this.batches.resumeBatches();
    await this.batches.retireBatches();
    while (!signal.aborted && (await this.batches.deleteRows()));
  }

  private async releaseItems(): Promise<void> {
    const poisonous = await this.claims.releaseExpiredLeases();
    if (poisonous.length === 0) return;
    await this.results.storeAttempts(
      poisonous.map((item) => ({
        item,
        end: { status: 'failed', errorCode: 'internal_error', errorMessage: ITEM_DIED },
        usage: [],
      })),
    );
  }
}

const ITEM_DIED =
  'The request could not be answered: each process that sent it ended before it had the answer. Send it again in another batch.';
