/** Maximum number of concurrent items, and a signal that aborts all of them. */
export interface ConcurrentlyOptions {
  readonly atOnce: number;
  readonly signal: AbortSignal;
}

/**
 * Processes items in order, a few at a time, and returns the results in the order of the items. The first failure
 * ends everything: the signal of the other items aborts, no further item starts, and the failure is thrown once the
 * last of them has ended.
 * @throws the first failure of `work`
 */
export async function mapConcurrently<Item, Result>(
  items: readonly Item[],
  { atOnce, signal }: ConcurrentlyOptions,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const results: Result[] = [];
  const failures: unknown[] = [];
  // All lanes share one iterator, which hands out each item once: taking an item does not await anything.
  const waiting = items.entries();
  const runLane = async (): Promise<void> => {
    for (const [index, item] of waiting) {
      if (failed.signal.aborted) return;
      try {
        results[index] = await work(item, either);
      } catch (error) {
        failures.push(error);
        failed.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, runLane));
  if (failures.length > 0) throw failures[0];
  return results;
}
