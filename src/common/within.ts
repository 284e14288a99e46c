/** Something took longer than it may. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * Waits for work, but not longer than it may take. The work itself goes on.
 * @throws TimeoutError after `timeoutMs`; before that, what the work throws
 */
export async function within<Result>(
  timeoutMs: number,
  work: () => Promise<Result> | Result,
): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new TimeoutError(`Timed out after ${Math.round(timeoutMs)} ms.`));
  }, timeoutMs);
  try {
    // Work that fails after its time has a listener: the race.
    return await Promise.race([Promise.resolve().then(work), late]);
  } finally {
    clearTimeout(timer);
  }
}
