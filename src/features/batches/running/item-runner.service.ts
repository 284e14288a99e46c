import { Injectable, Logger } from '@nestjs/common';
import { ActiveOperations } from '../../../common/active-operations.js';
import { type AppError, asAppError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { BatchEndpoints } from '../model/batch-endpoints.js';
import type { ClaimedItem, ItemEnd, ItemUsage } from '../model/batch-item.js';
import { BatchSweepRepository } from '../rows/batch-sweep.repository.js';
import type { EndedAttempt } from '../rows/item-result.repository.js';
import { decideFailure } from './item-failure.js';
import { Pauses } from './pauses.js';

/** Longest time after which a batch that is paused by a quota is tried again, in seconds: an admin may raise it. */
const MAX_PAUSE_SECONDS = 300;

/** Runs single items. It never rejects: every attempt has an end. */
@Injectable()
export class ItemRunnerService {
  /** Providers that have asked for a pause. */
  readonly lanes = new Pauses();
  /** Accounts whose limits have refused a call. */
  readonly owners = new Pauses();
  private readonly logger = new Logger(ItemRunnerService.name);

  constructor(
    private readonly endpoints: BatchEndpoints,
    private readonly sweeps: BatchSweepRepository,
    private readonly operations: ActiveOperations,
  ) {}

  /** @param held aborts when the item is no longer held, or the process stops */
  async attemptItem(item: ClaimedItem, held: AbortSignal): Promise<EndedAttempt> {
    const revoked = new AbortController();
    const signal = AbortSignal.any([held, revoked.signal]);
    const usage: ItemUsage[] = [];
    const forget = this.operations.register(item, () => {
      revoked.abort();
    });
    try {
      const response = await this.endpoints.answer({
        endpoint: item.endpoint,
        caller: item,
        body: this.endpoints.parseJson(Buffer.from(item.request)),
        signal,
        recordUsage: (callId, attempts) => {
          usage.push({ callId, attempts });
        },
      });
      this.lanes.succeed(item.lane);
      this.owners.succeed(item.userId);
      const end: ItemEnd = { status: 'completed', responseStatus: 200, requestId: newId(), response };
      return { item, end, usage };
    } catch (error) {
      return { item, end: await this.endAfterFailure(item, asAppError(error), signal), usage };
    } finally {
      forget();
    }
  }

  private async endAfterFailure(item: ClaimedItem, error: AppError, signal: AbortSignal): Promise<ItemEnd> {
    if (signal.aborted) return { status: 'waiting', givenBack: true };
    if (error.code === 'internal_error')
      this.logger.error(
        { err: error.cause, batch: item.batchId, line: item.line },
        'a request of a batch failed',
      );
    const action = decideFailure(error, item.attempts);
    if (action.type === 'retry') {
      if (action.pause === 'lane') this.lanes.pause(item.lane, error.retryAfterMs);
      else if (action.pause === 'owner') this.owners.pause(item.userId, error.retryAfterMs);
      else if (action.pause === 'batch') await this.pauseBatch(item, error);
      return { status: 'waiting', givenBack: action.givenBack };
    }
    const requestId = newId();
    const { status: responseStatus, body: response } = this.endpoints.errorBody(error, requestId);
    return { status: 'failed', responseStatus, requestId, response };
  }

  private async pauseBatch(item: ClaimedItem, { code, message, retryAfterMs }: AppError): Promise<void> {
    const seconds = Math.min(MAX_PAUSE_SECONDS, (retryAfterMs ?? Infinity) / 1_000);
    await this.sweeps.pauseBatch(item, { code, message, seconds }).catch((error: unknown) => {
      // Its next item will be refused as well.
      this.logger.warn({ err: error }, 'could not pause a batch whose account has used up its quota');
      this.owners.pause(item.userId, undefined);
    });
  }
}
