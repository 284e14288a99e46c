/** Queue of the maintenance jobs of turns. */
export const TURNS_QUEUE = 'turns';

/** Job that ends the answers of processes that are gone. It has no payload: everything is in the rows. */
export const SWEEP_JOB = 'sweep';

/** Interval of the sweep, in milliseconds. */
export const SWEEP_INTERVAL_MS = 15_000;
