import { Injectable } from '@nestjs/common';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { BatchRef } from '../model/batch.js';
import {
  ITEM_END_STATUSES,
  type ItemEndStatus,
  type ItemResult,
  type NewBatchItem,
} from '../model/batch-item.js';

/** Maximum number of items, and of characters of their requests, that one statement inserts. */
const INSERT_BATCH = { items: 1_000, characters: 4 * 2 ** 20 } as const;

/** Maximum size of the responses of a page, in bytes; a page has at least one item. */
const PAGE_BYTES = 4 * 2 ** 20;

/** A page of results, in the order of the input. */
export interface ResultSlice {
  /** Line after which the page begins. */
  readonly afterLine: number;
  readonly limit: number;
  /** Statuses of the items; undefined for all that have ended. */
  readonly statuses?: readonly ItemEndStatus[] | undefined;
}

interface ItemRow extends Omit<ItemResult, 'usage'> {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly reasoningTokens: number;
  readonly costMicroUsd: string;
  readonly unpricedAttempts: number;
}

/** Reads the items of batches. */
@Injectable()
export class BatchItemRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Returns the results of a batch in the order of its input: at most `limit`, and fewer if their responses are large.
   * An empty page is the end.
   */
  async readResults(
    { id, userId }: BatchRef,
    { afterLine, limit, statuses = ITEM_END_STATUSES }: ResultSlice,
  ): Promise<ItemResult[]> {
    const rows = await this.prisma.query<ItemRow>(READ_RESULTS, [
      id,
      userId,
      afterLine,
      statuses,
      limit,
      PAGE_BYTES,
    ]);
    return rows.map(toItemResult);
  }
}

/** A statement of its own, not one of Prisma's engine, which copies each value several times. */
const READ_RESULTS = `
  SELECT line, custom_id AS "customId", status::text, response_status AS "responseStatus",
    request_id AS "requestId", response, error_code AS "errorCode", error_message AS "errorMessage",
    input_tokens AS "inputTokens", output_tokens AS "outputTokens", cached_tokens AS "cachedTokens",
    reasoning_tokens AS "reasoningTokens", cost_micro_usd AS "costMicroUsd", unpriced_attempts AS "unpricedAttempts"
  FROM (
    SELECT *, sum(octet_length(response)) OVER (ORDER BY line) AS bytes, row_number() OVER (ORDER BY line) AS place
    FROM (
      SELECT * FROM batch_items
      WHERE batch_id = $1::uuid AND user_id = $2::uuid AND line > $3::int
        AND status = ANY($4::batch_item_status[])
      ORDER BY line LIMIT $5::int
    ) page
  ) measured
  WHERE bytes <= $6::int OR bytes IS NULL OR place = 1
  ORDER BY line`;

/** Inserts items of a batch, in statements of bounded size. */
export async function insertItems(
  transaction: Transaction,
  batch: BatchRef,
  items: readonly NewBatchItem[],
): Promise<void> {
  for (const part of splitItems(items)) {
    const inserted = await insertPart(transaction, batch, part);
    if (inserted.length !== part.length) throw new Error('Two items of a batch have the same custom_id.');
  }
}

/**
 * Inserts items in one statement. Of several with the same `custom_id` the first is inserted.
 * @returns the lines of the inserted items
 */
export async function insertPart(
  transaction: Transaction,
  { id, userId }: BatchRef,
  items: readonly NewBatchItem[],
): Promise<number[]> {
  const rows = await transaction.$queryRaw<{ line: number }[]>`
    INSERT INTO batch_items (batch_id, user_id, line, custom_id, request, lane)
    SELECT ${id}::uuid, ${userId}::uuid, line, custom_id, request, lane
    FROM unnest(${items.map(({ line }) => line)}::int[], ${items.map(({ customId }) => customId)}::text[],
      ${items.map(({ request }) => request)}::text[], ${items.map(({ lane }) => lane)}::text[])
      AS item (line, custom_id, request, lane)
    ORDER BY line
    ON CONFLICT (batch_id, custom_id) DO NOTHING
    RETURNING line`;
  return rows.map(({ line }) => line);
}

function* splitItems(items: readonly NewBatchItem[]): Generator<NewBatchItem[]> {
  let part: NewBatchItem[] = [];
  let characters = 0;
  for (const item of items) {
    part.push(item);
    characters += item.request.length;
    if (part.length < INSERT_BATCH.items && characters < INSERT_BATCH.characters) continue;
    yield part;
    part = [];
    characters = 0;
  }
  if (part.length > 0) yield part;
}

function toItemResult(row: ItemRow): ItemResult {
  const {
    inputTokens,
    outputTokens,
    cachedTokens,
    reasoningTokens,
    costMicroUsd,
    unpricedAttempts,
    ...result
  } = row;
  return {
    ...result,
    usage: {
      inputTokens,
      outputTokens,
      cachedTokens,
      reasoningTokens,
      costMicroUsd: BigInt(costMicroUsd),
      unpricedAttempts,
    },
  };
}
