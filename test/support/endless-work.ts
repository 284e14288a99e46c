/**
 * Processor time after which work on a bounded input counts as endless, in milliseconds. No test asserts how fast
 * something is, because a busy machine may be ten times slower; `bench/` measures that.
 */
export const ENDLESS_WORK_MS = 30_000;

/** Returns the processor time that this process has used since an earlier moment, in milliseconds. */
export function processorMsSince(before: NodeJS.CpuUsage): number {
  return process.cpuUsage(before).user / 1000;
}
