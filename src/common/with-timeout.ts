/** Reports an operation that exceeded its timeout. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * Waits for work with a timeout. The work itself is not aborted.
 * @throws TimeoutError after `timeoutMs`; before that, the error of the work
 */
export async function withTimeout<Result>(
  timeoutMs: number,
  work: () => Promise<Result> | Result,
): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new TimeoutError(`Timed out after ${Math.round(timeoutMs)} ms.`));
  }, timeoutMs);
  try {
    // A rejection after the timeout is still handled, by the race.
    return await Promise.race([Promise.resolve().then(work), late]);
  } finally {
    clearTimeout(timer);
  }
}
