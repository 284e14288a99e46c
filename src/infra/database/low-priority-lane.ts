/** Share of the connections of the pool that statements of low priority use. */
const SHARE = 1 / 3;

/** The same share with those that wait for something themselves. */
const MAX_SHARE = 2 / 3;

/**
 * Time after which a statement counts as waiting for something itself, such as a lock, the disk or a connection, in
 * milliseconds. It is far longer than such a statement takes.
 */
const WAITING_AFTER_MS = 100;

/**
 * Lets few statements of low priority run at once, first come, first served. The others neither wait for connections nor
 * compete for the processors with statements for which somebody waits who sees nothing yet. One that waits itself gives its
 * place to the next, but together they never use all connections.
 */
export class LowPriorityLane {
  private readonly places: number;
  private readonly maxRunning: number;
  private running = 0;
  /** Number of those running that do not count as waiting. */
  private active = 0;
  /** In order of arrival. */
  private readonly queue = new Set<() => void>();

  /** @param connections maximum number of connections of the pool */
  constructor(connections: number) {
    this.places = Math.max(1, Math.floor(connections * SHARE));
    this.maxRunning = Math.max(1, Math.floor(connections * MAX_SHARE));
  }

  /** Runs work as soon as it may. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.enter();
    let isActive = true;
    const leavePlace = (): void => {
      if (isActive) this.active -= 1;
      isActive = false;
      this.admit();
    };
    const timer = setTimeout(leavePlace, WAITING_AFTER_MS);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      this.running -= 1;
      leavePlace();
    }
  }

  /** Resolves once there is a place, which it takes. */
  private enter(): Promise<void> {
    return new Promise((resolve) => {
      this.queue.add(resolve);
      this.admit();
    });
  }

  /** Lets those in the queue take the places that are free. */
  private admit(): void {
    for (const enter of this.queue) {
      if (this.active >= this.places || this.running >= this.maxRunning) return;
      this.queue.delete(enter);
      this.active += 1;
      this.running += 1;
      enter();
    }
  }
}
