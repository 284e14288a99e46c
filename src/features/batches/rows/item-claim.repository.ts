import { Injectable } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { PrismaService } from '../../../infra/database/index.js';
import { isBatchEndpoint } from '../model/batch.js';
import type { ClaimedItem } from '../model/batch-item.js';

/** Duration of a lease of an item, in seconds; the process that runs it renews it. */
export const ITEM_LEASE_SECONDS = 30;

/** Number of lost leases after which an item fails: its processes may have died because of it. */
export const MAX_LOST_LEASES = 5;

/** Id that comes before those of all owners. */
export const FIRST_OWNER = '00000000-0000-0000-0000-000000000000';

/** Maximum number of leases that one statement releases. */
const RELEASE_LIMIT = 1_000;

/** Items to claim. */
export interface ClaimRequest {
  /** Owner after which to begin: owners take turns. */
  readonly after: string;
  readonly slots: number;
  /** Maximum number of items of an owner that run at once, in all processes. */
  readonly ownerSlots: number;
  readonly pausedLanes: readonly string[];
  readonly pausedOwners: readonly string[];
}

type ClaimRow = { readonly nextOwner: string | null } & (
  | (Omit<ClaimedItem, 'endpoint' | 'leaseId'> & { readonly endpoint: string })
  | { readonly batchId: null; readonly endpoint: null }
);

/** The lease under which a process holds an item. */
export type ItemLease = Pick<ClaimedItem, 'batchId' | 'line' | 'leaseId'>;

/** Leases of items. */
@Injectable()
export class ItemClaimRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Claims waiting items (see `claim_waiting_items` in the migrations).
   * @returns the items, and the owner to continue after, which is the first one after all had their turn
   */
  async claimItems(request: ClaimRequest): Promise<{
    readonly items: readonly ClaimedItem[];
    readonly next: string;
  }> {
    const { after, slots, ownerSlots, pausedLanes, pausedOwners } = request;
    const leaseId = newId();
    const rows = await this.prisma.query<ClaimRow>(CLAIM, [
      after,
      slots,
      ownerSlots,
      pausedLanes,
      pausedOwners,
      leaseId,
      ITEM_LEASE_SECONDS,
    ]);
    return {
      items: rows.flatMap((row) => {
        if (row.batchId === null) return [];
        const { nextOwner, endpoint, ...item } = row;
        if (!isBatchEndpoint(endpoint)) throw new Error(`A batch has the unknown endpoint '${endpoint}'.`);
        return { ...item, endpoint, leaseId };
      }),
      next: rows[0]?.nextOwner ?? FIRST_OWNER,
    };
  }

  /**
   * Extends leases. Returns those that are still held: an item may be held again, by the same process, under another
   * lease.
   */
  renewLeases(items: readonly ClaimedItem[]): Promise<ItemLease[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<ItemLease[]>`
        UPDATE batch_items item SET lease_until = now() + make_interval(secs => ${ITEM_LEASE_SECONDS}::int)
        FROM unnest(${items.map(({ batchId }) => batchId)}::uuid[], ${items.map(({ line }) => line)}::int[],
          ${items.map(({ leaseId }) => leaseId)}::uuid[]) AS held (batch_id, line, lease_id)
        WHERE item.batch_id = held.batch_id AND item.line = held.line AND item.lease_id = held.lease_id
        RETURNING item.batch_id AS "batchId", item.line, item.lease_id AS "leaseId"`,
    );
  }

  /**
   * Makes items wait again whose process has lost its lease, because it died or was stopped. The attempt does not count,
   * since it has not failed because of the item, but the lost lease does.
   * @returns the items that have lost too many leases instead: the caller ends them
   */
  async releaseExpiredLeases(): Promise<ClaimedItem[]> {
    // A fence without a comparison of statuses: the expired lease is part of the condition, so a renewal or a result
    // that comes first makes this row drop out.
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batch_items SET status = 'waiting', lease_id = NULL, lease_until = NULL, attempts = attempts - 1,
          lost_leases = lost_leases + 1
        WHERE (batch_id, line) IN (
            SELECT batch_id, line FROM batch_items
            WHERE lease_until <= now() AND lost_leases + 1 < ${MAX_LOST_LEASES}::int
            ORDER BY batch_id, line LIMIT ${RELEASE_LIMIT} FOR UPDATE SKIP LOCKED
          ) AND lease_until <= now()`,
    );
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<(Omit<ClaimedItem, 'endpoint'> & { endpoint: string })[]>`
        SELECT item.batch_id AS "batchId", item.line, item.user_id AS "userId", batches.api_key_id AS "apiKeyId",
          batches.endpoint, item.request, item.lane, item.attempts::int, item.lease_id AS "leaseId"
        FROM batch_items item JOIN batches ON batches.id = item.batch_id
        WHERE item.lease_until <= now() AND item.lost_leases + 1 >= ${MAX_LOST_LEASES}::int
        ORDER BY item.batch_id, item.line LIMIT 20`,
    );
    return rows.flatMap(({ endpoint, ...item }) =>
      isBatchEndpoint(endpoint) ? [{ ...item, endpoint }] : [],
    );
  }
}

const CLAIM = `SELECT batch_id AS "batchId", line, user_id AS "userId", api_key_id AS "apiKeyId", endpoint, request, lane,
    attempts, next_owner AS "nextOwner"
  FROM claim_waiting_items($1::uuid, $2::int, $3::int, $4::text[], $5::uuid[], $6::uuid, $7::int)`;
