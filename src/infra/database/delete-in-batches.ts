/** Rows that one statement of a retention job deletes at most, far below what it could within its timeout. */
export const RETENTION_BATCH = 1_000;

/**
 * Deletes rows batch by batch until none is left, or the signal aborts. Each batch is a statement and a commit of its
 * own, so a job that is interrupted has kept nothing locked and lost nothing.
 * @param deleteBatch deletes up to `limit` rows and returns how many it has
 * @returns how many rows were deleted
 */
export async function deleteInBatches(
  deleteBatch: (limit: number) => Promise<number>,
  signal?: AbortSignal,
): Promise<number> {
  let total = 0;
  while (signal?.aborted !== true) {
    const deleted = await deleteBatch(RETENTION_BATCH);
    total += deleted;
    if (deleted < RETENTION_BATCH) break;
  }
  return total;
}
