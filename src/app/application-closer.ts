import { type INestApplicationContext, Logger } from '@nestjs/common';
import { withTimeout } from '../common/with-timeout.js';
import { instancesOf } from './instances-of.js';

/** Lifecycle hooks that Nest calls on shutdown, in this order. */
const HOOKS = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'] as const;

/**
 * Timeout of one hook, in milliseconds: longer than the timeout of a database statement, so that the last usage is
 * stored, and short enough to leave some of the shutdown time to the hooks after it.
 */
const HOOK_MS = 9_000;

/**
 * Closes an application completely, even if parts of it fail. Nest awaits hooks one after another, so a hook that
 * never ends would prevent all others from storing data and closing resources.
 */
export class ApplicationCloser {
  private readonly logger = new Logger(ApplicationCloser.name);
  private failures = 0;

  /** @param app an application whose providers are instantiated */
  constructor(
    private readonly app: INestApplicationContext,
    private readonly hookMs = HOOK_MS,
  ) {
    for (const instance of instancesOf(app)) {
      for (const hook of HOOKS) this.limitHook(instance, hook);
    }
  }

  /**
   * Runs a step of the shutdown. Logs a failure, and never rejects.
   * @param part name of the part that the step closes
   */
  async run(part: string, step: () => Promise<void> | void): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.failures += 1;
      this.logger.error({ err: error, part }, `could not close ${part}; closing the rest`);
    }
  }

  /**
   * Calls all hooks.
   * @throws Error if a step or a hook has failed, after everything else is closed
   */
  async close(): Promise<void> {
    await this.run('the application', () => this.app.close());
    if (this.failures > 0) throw new Error(`${this.failures} parts could not be closed; see the log.`);
  }

  private limitHook(instance: object, hook: (typeof HOOKS)[number]): void {
    const original: unknown = Reflect.get(instance, hook);
    if (typeof original !== 'function') return;
    const bounded = (signal?: string): Promise<void> =>
      this.run(instance.constructor.name, () =>
        withTimeout(this.hookMs, async () => {
          await Reflect.apply(original, instance, [signal]);
        }),
      );
    Reflect.set(instance, hook, bounded);
  }
}
