/** A recurring background task and its schedule. Times are in milliseconds. */
export interface PeriodicTaskOptions {
  /** Delay from the start of the process to the first run. */
  readonly firstAfterMs: number;
  /** Delay from the end of a run to the next one. */
  readonly everyMs: number;
  /**
   * Runs the task.
   * @param signal aborts when the process stops; a long run should then end early
   */
  readonly run: (signal: AbortSignal) => Promise<unknown>;
  /** Called with the rejection of `run`. The next run starts anyway. */
  readonly onError: (error: unknown) => void;
}

/** Repeats a task until it is stopped. Each delay starts at the end of the previous run, so runs never overlap. */
export class PeriodicTask {
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly work: PeriodicTaskOptions) {}

  /** Schedules the first run. The timer does not keep the process alive. */
  start(): void {
    this.schedule(this.work.firstAfterMs);
  }

  /** Prevents further runs, and resolves when the current one has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.running;
  }

  private schedule(delayMs: number): void {
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => {
      this.running = this.runOnce();
    }, delayMs).unref();
  }

  private async runOnce(): Promise<void> {
    try {
      await this.work.run(this.stopping.signal);
    } catch (error) {
      this.work.onError(error);
    }
    this.schedule(this.work.everyMs);
  }
}
