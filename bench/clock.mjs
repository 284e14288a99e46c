const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Milliseconds of the machine's monotonic clock: the same in all processes. */
export const monotonicMs = () => offset + performance.now();
