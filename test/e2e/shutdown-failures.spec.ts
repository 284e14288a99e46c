// Real here: the built server as a process of its own with its embedded database; only the planted failures are not.
import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PACKAGE_ROOT } from '../../src/config/index.js';
import { makeDataDir } from '../support/data-dir.js';
import { type ServerProcess, startServer } from '../support/server-process.js';

describe('a shutdown in which something fails', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let server: ServerProcess | undefined;

  beforeEach(async () => {
    dataDir = await makeDataDir();
  });

  afterEach(async () => {
    await server?.end('SIGKILL');
    await dataDir.remove();
  });

  /** Starts the server after this code, which finds `LimitStores`, `PrismaService` and `ApiApplication`. */
  async function startWith(plant: string): Promise<ServerProcess> {
    const dist = (file: string): string =>
      JSON.stringify(pathToFileURL(join(PACKAGE_ROOT, 'dist', file)).href);
    const file = join(dataDir.path, 'plant.mjs');
    await writeFile(
      file,
      `import { LimitStores } from ${dist('features/limits/limit-stores.js')};
       import { PrismaService } from ${dist('infra/database/prisma.service.js')};
       import { ApiApplication } from ${dist('api.application.js')};
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

  it.each([
    ['rejects', `() => Promise.reject(new Error('planted'))`],
    ['throws', `() => { throw new Error('planted'); }`],
    ['never ends', '() => new Promise(() => undefined)'],
  ])(
    'closes everything else and says so where a hook %s',
    async (_how, hook) => {
      const running = await startWith(
        `LimitStores.prototype.onApplicationShutdown = ${hook};
         const close = PrismaService.prototype.onApplicationShutdown;
         PrismaService.prototype.onApplicationShutdown = async function () {
           await close.call(this);
           console.log('the pool is closed');
         };`,
      );
      expect(await running.end('SIGTERM')).toBe(1);
      expect(count(running, 'LimitStores could not be closed')).toBe(1);
      expect(running.output).toContain('the pool is closed');
      expect(databaseRuns()).toBe(false);
    },
    90_000,
  );

  it.each([
    ['rejects', `() => Promise.reject(new Error('planted'))`],
    ['never ends', '() => new Promise(() => undefined)'],
  ])(
    'stops the database where the application %s as it closes',
    async (_how, close) => {
      const running = await startWith(`ApiApplication.prototype.close = ${close};`);
      expect(await running.end('SIGTERM')).toBe(1);
      expect(count(running, 'Closing the application failed')).toBe(1);
      expect(databaseRuns()).toBe(false);
    },
    90_000,
  );
});
