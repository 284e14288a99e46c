import { join } from 'node:path';
import { type AppConfig, ConfigError, loadConfig, PACKAGE_ROOT } from './config/index.js';
import { openDatabase, type OpenDatabase } from './infra/database/index.js';

/** Anything that is closed when the process ends. */
export interface Closable {
  close(): Promise<void>;
}

/** Longest wait for an orderly end, in milliseconds; orchestrators kill after 30 s. */
const SHUTDOWN_MS = 25_000;

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
export function say(line: string): void {
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
    report: say,
    onLost: stop,
    ...options,
  });
}

/** The life of a process: what was opened first is closed last, on a signal or when the start fails. */
export class Lifetime {
  private readonly opened: Closable[] = [];
  private stopping: Promise<never> | undefined;

  /** @param hurry called at a second signal */
  constructor(private readonly hurry: () => void) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (this.stopping === undefined) say(`\nStopping (${signal}) …`);
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
      say('\nStopping (whatever started this process has ended) …');
      void this.stop(0);
    }, PARENT_INTERVAL_MS);
    watch.unref();
  }

  /** Runs a step of the start. Where the process was told to stop meanwhile, what the step opened is closed again. */
  async open<Resource extends Closable>(step: Promise<Resource>): Promise<Resource> {
    this.pending = step.then(
      () => undefined,
      () => undefined,
    );
    const resource = await step;
    this.opened.push(resource);
    if (this.stopping !== undefined) await this.stopping;
    return resource;
  }

  private pending: Promise<void> = Promise.resolve();

  /** Closes everything and ends the process. */
  stop(exitCode: number): Promise<never> {
    this.stopping ??= this.closeAll(exitCode);
    return this.stopping;
  }

  private async closeAll(exitCode: number): Promise<never> {
    const late = setTimeout(() => {
      say('Stopping took too long; ending now.');
      process.exit(1);
    }, SHUTDOWN_MS);
    await Promise.race([this.pending, new Promise((resolve) => setTimeout(resolve, START_GRACE_MS))]);
    for (const resource of this.opened.reverse()) await resource.close();
    clearTimeout(late);
    process.exit(exitCode);
  }
}

/** Runs the start of a process. A failure ends it with a sentence for the operator and exit code 1. */
export async function startProcess(
  start: (config: AppConfig, lifetime: Lifetime) => Promise<void>,
  hurry: () => void,
  failure = 'Parley cannot start:',
): Promise<void> {
  const lifetime = new Lifetime(hurry);
  try {
    await start(loadConfig(), lifetime);
  } catch (error) {
    const title = error instanceof ConfigError ? 'The configuration cannot be used:' : failure;
    process.stderr.write(`\n${title}\n${error instanceof Error ? error.message : String(error)}\n`);
    await lifetime.stop(1);
  }
}
