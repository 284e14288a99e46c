/** The queue of what keeps turns in order. */
export const TURNS_QUEUE = 'turns';

/** The job that ends the answers of processes that are gone. It carries nothing: what is to be done stands in the rows. */
export const SWEEP_JOB = 'sweep';

/** Interval of the sweep, in milliseconds. */
export const SWEEP_INTERVAL_MS = 15_000;
