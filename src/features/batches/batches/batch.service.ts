import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import { type Batch, type BatchApi, hasEnded } from '../model/batch.js';
import { BatchNotEndedError } from '../model/batch.errors.js';
import {
  BatchRepository,
  type BatchSlice,
  type IdempotentRequest,
  type NewBatch,
} from '../rows/batch.repository.js';
import { BatchQueue } from '../running/batch.queue.js';

/** Names a batch of an account, and the API that asks for it. */
export interface BatchKey {
  readonly userId: string;
  readonly api: BatchApi;
  readonly id: string;
}

/** Manages batches. Both APIs use it. */
@Injectable()
export class BatchService {
  constructor(
    private readonly batches: BatchRepository,
    private readonly queue: BatchQueue,
  ) {}

  /**
   * Creates a batch. When it resolves, its rows are committed.
   * @throws AppError `batch_limit_exceeded`, `unauthorized` if the account has been disabled in the meantime
   * @throws IdempotencyKeyReusedError
   */
  async createBatch(batch: NewBatch): Promise<{ readonly batch: Batch; readonly replayed: boolean }> {
    const created = await this.batches.insertBatch(batch);
    if (!created.replayed) this.queue.announce(created.batch);
    return created;
  }

  /**
   * Returns the batch that an earlier request with the same key created, for callers that check more than the batch: what
   * a repeated request names may no longer exist.
   * @throws IdempotencyKeyReusedError
   */
  findReplay(request: IdempotentRequest): Promise<Batch | undefined> {
    return this.batches.findReplay(request);
  }

  /** @throws NotFoundError */
  async getBatch({ userId, api, id }: BatchKey): Promise<Batch> {
    const batch = await this.batches.findBatch(userId, api, id);
    if (batch === undefined) throw new NotFoundError('batch', id);
    return batch;
  }

  /** Lists batches, newest first. */
  listBatches(userId: string, api: BatchApi, slice: BatchSlice): Promise<Batch[]> {
    return this.batches.listBatches(userId, api, slice);
  }

  /**
   * Begins to cancel a batch and returns it. One that is ending or has ended stays unchanged.
   * @throws NotFoundError
   */
  async cancelBatch(key: BatchKey): Promise<Batch> {
    const { changed } = await this.batches.cancelBatch(key.userId, key.api, key.id);
    const batch = await this.getBatch(key);
    if (changed) this.queue.announce(batch);
    return batch;
  }

  /**
   * Runs the requests of an ended batch again that have no successful response.
   * @throws NotFoundError
   * @throws BatchNotEndedError
   * @throws AppError `batch_limit_exceeded`
   */
  async retryBatch(key: BatchKey): Promise<Batch> {
    const items = await this.batches.retryBatch(key.userId, key.api, key.id);
    const batch = await this.getBatch(key);
    // A batch whose input had faults has ended without requests.
    if (items === undefined && !hasEnded(batch.status)) throw new BatchNotEndedError(key.id);
    if (items !== undefined && items > 0) this.queue.announce(batch);
    return batch;
  }

  /**
   * Deletes a batch in any state, with its results.
   * @throws NotFoundError
   */
  async deleteBatch({ userId, api, id }: BatchKey): Promise<void> {
    if (!(await this.batches.deleteBatch(userId, api, id))) throw new NotFoundError('batch', id);
  }
}
