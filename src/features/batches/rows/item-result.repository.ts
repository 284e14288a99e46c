import { Injectable } from '@nestjs/common';
import { toStorableText } from '../../../common/stored-text.js';
import { PrismaService } from '../../../infra/database/index.js';
import { toUsageRow } from '../../usage/index.js';
import type { BatchRef } from '../model/batch.js';
import type { ClaimedItem, ItemEnd, ItemUsage } from '../model/batch-item.js';

/** An attempt at an item that has ended. */
export interface EndedAttempt {
  readonly item: ClaimedItem;
  readonly end: ItemEnd;
  readonly usage: readonly ItemUsage[];
}

/** Stores the results of items. */
@Injectable()
export class ItemResultRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Stores attempts that have ended, with their usage, in one transaction (see `store_batch_results` in the
   * migrations). Storing them twice has no further effect, and an end whose lease was lost has none at all.
   * @returns the batches whose last item has ended
   */
  async storeAttempts(attempts: readonly EndedAttempt[]): Promise<BatchRef[]> {
    const ends = JSON.stringify(attempts.map(toEndRow));
    const usage = JSON.stringify(attempts.flatMap(toUsageRows));
    const rows = await this.prisma.query<{ batchId: string; isLast: boolean }>(STORE, [ends, usage]);
    const complete = new Set(rows.filter(({ isLast }) => isLast).map(({ batchId }) => batchId));
    const owners = new Map(attempts.map(({ item }) => [item.batchId, item.userId]));
    return Array.from(complete, (id) => ({ id, userId: owners.get(id) ?? '' }));
  }
}

const STORE = `SELECT batch_id AS "batchId", is_last AS "isLast" FROM store_batch_results($1::jsonb, $2::jsonb)`;

/** Converts the end of an attempt to the JSON that `store_batch_results` reads. */
function toEndRow({ item: { batchId, line, leaseId }, end }: EndedAttempt) {
  const key = { batch_id: batchId, line, lease_id: leaseId, status: end.status };
  if (end.status === 'waiting') return { ...key, given_back: end.givenBack };
  if ('response' in end) {
    const { responseStatus, requestId, response } = end;
    return {
      ...key,
      response_status: responseStatus,
      request_id: requestId,
      response: toStorableText(response),
    };
  }
  return { ...key, error_code: end.errorCode, error_message: toStorableText(end.errorMessage) };
}

/** Returns the rows of the ledger, each with its item. */
function toUsageRows({ item: { batchId, line, userId, apiKeyId }, usage }: EndedAttempt) {
  return usage.flatMap(({ callId, attempts }) => {
    const owner = { callId, userId, apiKeyId, conversationId: null };
    return attempts.map((attempt) => ({ ...toUsageRow({ owner, attempt }), batch_id: batchId, line }));
  });
}
