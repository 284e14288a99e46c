/** How many items are worked on at once, and the signal that ends all of them from outside. */
export interface ConcurrentlyOptions {
  readonly atOnce: number;
  readonly signal: AbortSignal;
}

/**
 * Works on items in their order, a few at once, and returns the results in the order of the items. The first failure
 * ends all: the signal of the other items is aborted, no further item is begun, and the failure is thrown when the last
 * of them has ended.
 * @throws the first failure of `work`
 */
export async function concurrently<Item, Result>(
  items: readonly Item[],
  { atOnce, signal }: ConcurrentlyOptions,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const results: Result[] = [];
  const failures: unknown[] = [];
  // One iterator for all lanes, which hands out each item once: nothing is awaited while an item is taken.
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
