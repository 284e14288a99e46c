// Real components: the built server as a separate process with its embedded database. Only the injected
// failures and the short shutdown timers are not.
import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { PACKAGE_ROOT } from '../../src/config/index.js';
import { makeDataDir } from '../support/data-dir.js';
import { type ServerProcess, startServer } from '../support/server-process.js';

/**
 * Makes the timers of the shutdown ten times shorter and prints their original durations. The timer that ends
 * the process after 25 s is unchanged, because it would leave the database only a tenth of its time.
 */
const SHORT_TIMERS = `
  process.once('SIGTERM', () => {
    const real = globalThis.setTimeout;
    globalThis.setTimeout = (callback, delay, ...values) => {
      if (!(delay >= 3_000 && delay < 25_000)) return real(callback, delay, ...values);
      process.stdout.write('A timer of ' + Math.round(delay) + ' ms.\\n');
      return real(callback, delay / 10, ...values);
    };
  });`;

describe('a shutdown with a failure', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let server: ServerProcess | undefined;

  beforeAll(async () => {
    dataDir = await makeDataDir();
  });

  afterEach(async () => {
    await server?.end('SIGKILL');
  });

  afterAll(() => dataDir.remove());

  /** Starts the server after running this code, which can use the imported classes. */
  async function startWith(plant: string): Promise<ServerProcess> {
    const dist = (file: string): string =>
      JSON.stringify(pathToFileURL(join(PACKAGE_ROOT, 'dist', file)).href);
    const file = join(dataDir.path, 'plant.mjs');
    await writeFile(
      file,
      `import { AccessWatch } from ${dist('features/auth/access-watch.js')};
       import { FailoverLimitStore } from ${dist('features/limits/failover-limit-store.js')};
       import { LlmService } from ${dist('llm/llm.service.js')};
       import { PrismaService } from ${dist('infra/database/prisma.service.js')};
       import { ApiApplication } from ${dist('app/api.application.js')};
       ${SHORT_TIMERS}
       ${plant}`,
    );
    server = startServer({
      DATA_DIR: dataDir.path,
      NODE_OPTIONS: `--import=${pathToFileURL(file).href}`,
    });
    await server.ready;
    return server;
  }

  const databaseRuns = (): boolean =>
    readdirSync(dataDir.path, { recursive: true, encoding: 'utf8' }).some((name) =>
      name.endsWith('postmaster.pid'),
    );

  const count = ({ output }: ServerProcess, text: string): number => output.split(text).length - 1;

  it('closes everything else and names each hook that rejects, throws or never ends', async () => {
    const running = await startWith(
      `AccessWatch.prototype.onApplicationShutdown = () => Promise.reject(new Error('planted'));
       LlmService.prototype.onApplicationShutdown = () => { throw new Error('planted'); };
       FailoverLimitStore.prototype.onApplicationShutdown = () => new Promise(() => undefined);
       const close = PrismaService.prototype.onApplicationShutdown;
       PrismaService.prototype.onApplicationShutdown = async function () {
         await close.call(this);
         process.stdout.write('the pool is closed\\n');
       };`,
    );
    expect(await running.end('SIGTERM')).toBe(1);
    for (const hook of ['AccessWatch', 'LlmService', 'FailoverLimitStore'])
      expect({ hook, failures: count(running, `could not close ${hook}`) }).toEqual({
        hook,
        failures: 1,
      });
    expect(running.output).toContain('the pool is closed');
    // Failures inside the application reject its close in the end.
    expect(count(running, 'Closing the application failed: 3 parts could not be closed')).toBe(1);
    expect(databaseRuns()).toBe(false);
  });

  it('stops the database if closing the application never ends, and leaves it four seconds', async () => {
    const running = await startWith(`ApiApplication.prototype.close = () => new Promise(() => undefined);`);
    expect(await running.end('SIGTERM')).toBe(1);
    expect(count(running, 'Closing the application failed')).toBe(1);
    const [, wait] = /A timer of (2\d{4}) ms\./.exec(running.output) ?? [];
    expect(Number(wait)).toBeLessThanOrEqual(20_500);
    expect(running.output).not.toContain('Shutdown took too long');
    expect(databaseRuns()).toBe(false);
  });
});
