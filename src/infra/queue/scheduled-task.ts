/** Work that is repeated for the whole installation, not once for each process. Times are in milliseconds. */
export interface ScheduledTask {
  /** Name of its scheduler and its jobs in the queue. */
  readonly name: string;
  /** Delay from the first start of the installation to the first run, and from a stop to the rest of a run. */
  readonly firstAfterMs: number;
  readonly everyMs: number;
  /**
   * Runs once. May be repeated if a process dies in between. What it rejects with is logged, and the next run comes all
   * the same.
   * @param signal aborts when the process stops; long work ends early then
   */
  run(signal: AbortSignal): Promise<unknown>;
}

/** Token of the tasks that a process may run. */
export const SCHEDULED_TASKS = Symbol('SCHEDULED_TASKS');

/** Queue of all scheduled tasks. */
export const SCHEDULED_TASKS_QUEUE = 'scheduled-tasks';
