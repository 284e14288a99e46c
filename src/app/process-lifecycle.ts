import { join } from 'node:path';
import { within } from '../common/within.js';
import { type AppConfig, ConfigError, loadConfig, PACKAGE_ROOT } from '../config/index.js';
import { openDatabase, type OpenDatabase } from '../infra/database/index.js';

/** Anything that is closed when the process ends. */
export interface Closable {
  close(): Promise<void>;
}

/** Longest wait for an orderly end, in milliseconds; orchestrators kill after 30 s. */
const SHUTDOWN_MS = 25_000;

/** Time of that which each resource opened earlier has to itself at the end, in milliseconds. */
const CLOSE_RESERVE_MS = 4_000;

/** Time that is left for the last lines, in milliseconds. */
const EXIT_RESERVE_MS = 500;

/** How long a step of the start may go on after the process was told to stop, in milliseconds. */
const START_GRACE_MS = 5_000;

/**
 * Given by the npm scripts: npm runs them through a shell, which a SIGTERM for npm ends without a word to us. Not the
 * rule, because a process that is started from a terminal may well outlive it.
 */
const STOP_WITH_PARENT = '--stop-with-parent';

/** How often it is looked whether the parent is still there, in milliseconds. */
const PARENT_INTERVAL_MS = 250;

/** Writes a line for the person who started the process. */
export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

/**
 * Opens the database that the configuration names.
 * @param options.exclusive false for whoever may use an external database beside a server; as the configuration needs without it
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
    migrationsDirectory: join(PACKAGE_ROOT, 'prisma', 'migrations'),
    report: printLine,
    onLost: stop,
    ...options,
  });
}

/** The life of a process: what was opened first is closed last, on a signal or when the start fails. */
export class ProcessLifecycle {
  private readonly opened: { readonly name: string; readonly resource: Closable }[] = [];
  private stopping: Promise<never> | undefined;

  /** @param hurry called at a second signal */
  constructor(private readonly hurry: () => void) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (this.stopping === undefined) printLine(`\nStopping (${signal}) …`);
        else this.hurry();
        void this.stop(0);
      });
    }
    if (process.argv.includes(STOP_WITH_PARENT)) this.watchParent();
  }

  /** A process whose parent has ended belongs to another one. */
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
   * Runs a step of the start. If the process was told to stop meanwhile, what the step opened is closed again.
   * @param name names the resource in a sentence, should it fail to close
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

  /** Closes everything and ends the process: with the exit code, or with 1 if something could not be closed. */
  stop(exitCode: number): Promise<never> {
    this.stopping ??= this.closeAll(exitCode);
    return this.stopping;
  }

  private async closeAll(exitCode: number): Promise<never> {
    const deadline = performance.now() + SHUTDOWN_MS - EXIT_RESERVE_MS;
    const late = setTimeout(() => {
      printLine('Shutdown took too long; exiting now.');
      process.exit(1);
    }, SHUTDOWN_MS);
    await Promise.race([this.pending, new Promise((resolve) => setTimeout(resolve, START_GRACE_MS))]);
    let code = exitCode;
    for (let last = this.opened.pop(); last !== undefined; last = this.opened.pop()) {
      const { name, resource } = last;
      const timeoutMs = deadline - performance.now() - this.opened.length * CLOSE_RESERVE_MS;
      // Whatever becomes of this one, those before it are closed: last of all the database, which outlives the process.
      await within(timeoutMs, () => resource.close()).catch((error: unknown) => {
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

/** Runs the start of a process. A failure ends it with a sentence for the operator and exit code 1. */
export async function startProcess(
  start: (config: AppConfig, lifetime: ProcessLifecycle) => Promise<void>,
  hurry: () => void,
  failure = 'Parley could not start:',
): Promise<void> {
  const lifetime = new ProcessLifecycle(hurry);
  try {
    await start(loadConfig(), lifetime);
  } catch (error) {
    const title = error instanceof ConfigError ? 'The configuration is invalid:' : failure;
    process.stderr.write(`\n${title}\n${error instanceof Error ? error.message : String(error)}\n`);
    await lifetime.stop(1);
  }
}
