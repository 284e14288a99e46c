import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { printLine } from './print-line.js';
import { MetricsExchange, sendToProcess } from './metrics-exchange.js';
import { isProcessMessage } from './process-messages.js';

/** Pause before a process that ended is replaced, in milliseconds: doubled for each that ends before it listens. */
const RESTART_MS = 1_000;
const MAX_RESTART_MS = 30_000;

/**
 * The API processes of a machine. They share one port: this process accepts the connections and passes them on, and
 * replaces a process that ends. They share nothing else but PostgreSQL, Redis and the file storage.
 */
export class ApiProcesses {
  /** The processes that serve requests, with their numbers from 1. One that replaces another takes its number. */
  private readonly workers = new Map<Worker, number>();
  private readonly metrics = new MetricsExchange(this.workers);
  private readonly stopping = new AbortController();
  /** Exit codes and signals of processes that did not stop cleanly. */
  private readonly failures: string[] = [];
  private readonly startFailure = Promise.withResolvers<never>();
  private readonly allEnded = Promise.withResolvers<undefined>();
  private isStarted = false;
  private restartMs = RESTART_MS;

  /** @throws Error if one of them ends by itself before it listens, for a reason that it has printed */
  static async start(count: number): Promise<ApiProcesses> {
    const processes = new ApiProcesses();
    // The arguments are for this process: `--stop-with-parent` in the others would watch this one.
    // JSON, the default, cannot represent every value of a metric.
    cluster.setupPrimary({ args: [], serialization: 'advanced' });
    const listening = Array.from({ length: count }, async () => {
      const worker = processes.fork();
      await Promise.race([once(worker, 'listening'), once(worker, 'exit')]);
    });
    try {
      await Promise.race([Promise.all(listening), processes.startFailure.promise]);
      processes.isStarted = true;
      return processes;
    } catch (error) {
      await processes.close().catch(() => undefined);
      throw error;
    }
  }

  /** Stores running answers as interrupted instead of waiting for them. */
  forceShutdown(): void {
    for (const worker of this.workers.keys()) sendToProcess(worker, { type: 'force_stop' });
  }

  /**
   * Stops the processes and waits until they have ended.
   * @throws Error if one of them did not stop cleanly
   */
  async close(): Promise<void> {
    this.stopping.abort();
    for (const worker of this.workers.keys()) sendToProcess(worker, { type: 'stop' });
    if (this.workers.size > 0) await this.allEnded.promise;
    if (this.failures.length > 0) throw new Error(`an API process ended with ${this.failures.join(', ')}`);
  }

  private get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private fork(): Worker {
    const worker = cluster.fork();
    this.workers.set(worker, this.freeNumber());
    worker.once('listening', () => {
      this.restartMs = RESTART_MS;
    });
    worker.on('message', (message: unknown) => {
      if (isProcessMessage(message)) this.metrics.receive(worker, message);
    });
    // Without a listener, a fork that fails (no memory, too many processes) would end this process. Such a process has
    // no id, and no exit follows; other errors are those of messages to a process that is ending.
    worker.on('error', (error) => {
      if (worker.process.pid === undefined) this.handleEnd(worker, error.message, false);
    });
    worker.once('exit', (code: number, signal: string | null) => {
      this.handleEnd(worker, signal ?? `code ${String(code)}`, signal !== null);
    });
    return worker;
  }

  private freeNumber(): number {
    const taken = new Set(this.workers.values());
    let number = 1;
    while (taken.has(number)) number += 1;
    return number;
  }

  private handleEnd(worker: Worker, reason: string, wasKilled: boolean): void {
    if (!this.workers.delete(worker)) return;
    if (this.isStopping) {
      if (reason !== 'code 0') this.failures.push(reason);
      if (this.workers.size === 0) this.allEnded.resolve(undefined);
    } else if (this.isStarted || wasKilled) {
      void this.replace(reason);
    } else {
      this.startFailure.reject(new Error('An API process could not start.'));
    }
  }

  /** Starts another process in place of one that ended, again and again until one listens. */
  private async replace(reason: string): Promise<void> {
    printLine(`An API process ended unexpectedly (${reason}). Starting another one.`);
    await delay(this.restartMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    if (this.isStopping) return;
    this.restartMs = Math.min(2 * this.restartMs, MAX_RESTART_MS);
    try {
      this.fork();
    } catch (error) {
      // Without memory for another process, Node throws instead of emitting an error.
      void this.replace(error instanceof Error ? error.message : String(error));
    }
  }
}
