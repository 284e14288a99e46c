const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Returns the time of the machine's monotonic clock in milliseconds: the same in all processes. */
export const monotonicMs = () => offset + performance.now();
