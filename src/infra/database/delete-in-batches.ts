/** Maximum number of rows that one statement of a retention job deletes, far below what fits in its timeout. */
export const RETENTION_BATCH = 1_000;

/**
 * Deletes rows in batches until none is left or the signal aborts. Each batch is a statement with its own commit, so
 * an interrupted job holds no locks and loses none of its progress.
 * @param deleteBatch deletes up to `limit` rows and returns the number of deleted rows
 * @returns total number of deleted rows
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
