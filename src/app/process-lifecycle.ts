import cluster from 'node:cluster';
import { withTimeout } from '../common/with-timeout.js';
import { printLine } from './print-line.js';
import { onStopRequest } from './stop-requests.js';
import { type AppConfig, ConfigError, loadConfig, MIGRATIONS_DIRECTORY } from '../config/index.js';
import { openDatabase, type OpenDatabase } from '../infra/database/index.js';

/** A resource that is closed when the process ends. */
export interface Closable {
  close(): Promise<void>;
}

/**
 * Maximum time for a graceful shutdown after the shutdown delay, in milliseconds. An orchestrator must kill later than
 * both together.
 */
const SHUTDOWN_MS = 25_000;

/** Part of that time reserved for each resource opened earlier, in milliseconds. */
const CLOSE_RESERVE_MS = 4_000;

/** Time reserved for the last lines of output, in milliseconds. */
const EXIT_RESERVE_MS = 500;

/** Maximum time for a startup step to finish after a shutdown was requested, in milliseconds. */
const START_GRACE_MS = 5_000;

/**
 * Set by the npm scripts: npm runs them in a shell, and a SIGTERM to npm ends that shell without notifying this
 * process. Not the default, because a process started from a terminal may legitimately outlive it.
 */
const STOP_WITH_PARENT = '--stop-with-parent';

/** Interval at which to check that the parent process still exists, in milliseconds. */
const PARENT_INTERVAL_MS = 250;

/**
 * Opens the configured database.
 * @param options.exclusive false for a process that may use an external database alongside a server; the default
 *   follows from the configuration
 */
export function openConfiguredDatabase(
  config: AppConfig,
  stop: (error: Error) => void,
  options: { readonly exclusive?: boolean; readonly lockWaitMs?: number } = {},
): Promise<OpenDatabase> {
  return openDatabase({
    databaseUrl: config.database.url,
    dataDir: config.dataDir,
    exclusive: config.redisUrl === undefined,
    migrationsDirectory: MIGRATIONS_DIRECTORY,
    report: printLine,
    onLost: stop,
    ...options,
  });
}

/** Manages the resources of a process: closes them in reverse order of opening, on a signal or if startup fails. */
export class ProcessLifecycle {
  private readonly opened: { readonly name: string; readonly resource: Closable }[] = [];
  private stopping: Promise<never> | undefined;

  /** @param forceShutdown called on a second signal */
  constructor(private readonly forceShutdown: () => void) {
    onStopRequest((reason) => {
      if (this.stopping !== undefined) this.forceShutdown();
      // Several API processes stop together: the first one says so for all.
      else if (cluster.isPrimary) printLine(`\nStopping (${reason}) …`);
      void this.stop(0);
    });
    if (process.argv.includes(STOP_WITH_PARENT)) this.watchParent();
  }

  /** Stops when the parent process ends. An orphaned process gets a new parent. */
  private watchParent(): void {
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      printLine('\nStopping (the parent process has ended) …');
      void this.stop(0);
    }, PARENT_INTERVAL_MS);
    watch.unref();
  }

  /**
   * Runs a startup step. If a shutdown was requested in the meantime, closes what the step opened.
   * @param name name of the resource in an error message, in case it fails to close
   */
  async open<Resource extends Closable>(name: string, step: Promise<Resource>): Promise<Resource> {
    this.pending = step.then(
      () => undefined,
      () => undefined,
    );
    const resource = await step;
    this.opened.push({ name, resource });
    if (this.stopping !== undefined) await this.stopping;
    return resource;
  }

  private pending: Promise<void> = Promise.resolve();

  /** Allows more time for a graceful shutdown, in milliseconds. */
  extendShutdown(byMs: number): void {
    this.shutdownMs += byMs;
  }

  private shutdownMs = SHUTDOWN_MS;

  /** Closes everything and ends the process with the exit code, or with 1 if something could not be closed. */
  stop(exitCode: number): Promise<never> {
    this.stopping ??= this.closeAll(exitCode);
    return this.stopping;
  }

  private async closeAll(exitCode: number): Promise<never> {
    const deadline = performance.now() + this.shutdownMs - EXIT_RESERVE_MS;
    const late = setTimeout(() => {
      printLine('Shutdown took too long; exiting now.');
      process.exit(1);
    }, this.shutdownMs);
    await Promise.race([this.pending, new Promise((resolve) => setTimeout(resolve, START_GRACE_MS))]);
    let code = exitCode;
    for (let last = this.opened.pop(); last !== undefined; last = this.opened.pop()) {
      const { name, resource } = last;
      const timeoutMs = deadline - performance.now() - this.opened.length * CLOSE_RESERVE_MS;
      // Whether or not this one fails, those opened earlier are closed: last the database, which outlives the
      // process.
      await withTimeout(timeoutMs, () => resource.close()).catch((error: unknown) => {
        process.stderr.write(
          `Closing ${name} failed: ${error instanceof Error ? error.message : String(error)}\n`,
        );
        code = 1;
      });
    }
    clearTimeout(late);
    process.exit(code);
  }
}

/** Runs the startup of a process. On failure, prints an explanation for the operator and exits with code 1. */
export async function startProcess(
  start: (config: AppConfig, lifecycle: ProcessLifecycle) => Promise<void>,
  forceShutdown: () => void,
  failure = 'Parley could not start:',
): Promise<void> {
  const lifecycle = new ProcessLifecycle(forceShutdown);
  try {
    const config = loadConfig();
    lifecycle.extendShutdown(config.http.shutdownDelayMs);
    await start(config, lifecycle);
  } catch (error) {
    const title = error instanceof ConfigError ? 'The configuration is invalid:' : failure;
    process.stderr.write(`\n${title}\n${error instanceof Error ? error.message : String(error)}\n`);
    await lifecycle.stop(1);
  }
}
