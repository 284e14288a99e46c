/** Work that is repeated once per installation, not once per process. Times are in milliseconds. */
export interface ScheduledTask {
  /** Name of its scheduler and its jobs in the queue. */
  readonly name: string;
  /** Delay from the first start of the installation to the first run, and from a shutdown to the rest of a run. */
  readonly firstAfterMs: number;
  readonly everyMs: number;
  /**
   * Runs the task once; repeated if a process dies meanwhile. A rejection is logged and does not affect the next run.
   * @param signal aborts at shutdown, so that long work ends early
   */
  run(signal: AbortSignal): Promise<unknown>;
}

/** Token of the tasks that a process may run. */
export const SCHEDULED_TASKS = Symbol('SCHEDULED_TASKS');

/** Name of the queue of all scheduled tasks. */
export const SCHEDULED_TASKS_QUEUE = 'scheduled-tasks';
