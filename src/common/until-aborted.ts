/** Resolves once a promise does, or the signal aborts. Leaves no listener on the signal. */
export async function untilAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const gone = Promise.withResolvers<null>();
  const leave = (): void => {
    gone.resolve(null);
  };
  signal.addEventListener('abort', leave, { once: true });
  try {
    if (!signal.aborted) await Promise.race([promise, gone.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
