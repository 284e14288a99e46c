/*
 * npm run test:image [-- --install-packages] [-- --clean]
 *
 * Builds the image of the Dockerfile with buildah, on a base that scripts/image/container-base.mjs makes, and runs it:
 * its layers, migrate, admin, the API and a chat, the worker, SIGTERM, a foreign user, a read-only root. Prints the time
 * of each step. Needs root, Linux, buildah and debootstrap; otherwise prints SKIPPED with the reason and exits 0.
 * Uses DATABASE_URL if it is set. The base stays in the cache folder; --clean removes it at the end.
 */
import { mkdtemp, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from './build.mjs';
import { checks } from './checks.mjs';
import { makeBase } from './container-base.mjs';
import { Image } from './container.mjs';
import { checkMachine, installPackages, Obstacle } from './programs.mjs';
import { openStorage, removeCache, runName } from './storage.mjs';
import { openDatabase, openRedis } from './stores.mjs';

const begin = performance.now();
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Open resources, closed in reverse order. */
const closers = [];

/** Runs a step and prints its time and what it has to say. */
async function step(title, action) {
  const since = performance.now();
  const remark = await action();
  console.log(`TIME: ${title}: ${seconds(since)}${typeof remark === 'string' ? ` (${remark})` : ''}`);
  return remark;
}

async function testImage() {
  const folder = await mkdtemp(join(tmpdir(), 'parley-image-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  // The system user of an embedded database passes through.
  await chmod(folder, 0o711);
  const storage = await openStorage();
  await step('base image', async () => ((await makeBase(storage)) ? 'made' : 'from the cache'));

  let name;
  await step('build', async () => {
    name = await buildImage(storage, { folder });
  });
  closers.push(() => storage.buildah('rmi', '--force', name));

  const container = runName('container');
  let image;
  let root;
  await step('container', async () => {
    await storage.buildah('from', '--name', container, name);
    closers.push(() => storage.buildah('rm', container));
    root = (await storage.buildah('mount', container)).stdout;
    const { stdout: inspected } = await storage.buildah('inspect', '--type', 'image', name);
    const { config } = JSON.parse(inspected).Docker;
    image = new Image({ folder: root, volumes: folder, config });
    closers.push(() => image.close());
  });

  const database = await openDatabase(folder);
  closers.push(() => database.close());
  const redis = await openRedis();
  if (redis) closers.push(() => redis.close());

  const context = {
    storage,
    name,
    container,
    image,
    root,
    folder,
    databaseUrl: database.url,
    redisUrl: redis?.url,
  };
  for (const [title, check] of checks) await step(title, () => check(context));
}

async function close() {
  for (let last = closers.pop(); last !== undefined; last = closers.pop()) await last();
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => void close().finally(() => process.exit(130)));
}
try {
  if (process.argv.includes('--install-packages') && process.getuid?.() === 0) {
    await step('packages', installPackages);
  }
  checkMachine();
  await testImage();
  console.log(`The image is built and runs. TIME: total: ${seconds(begin)}`);
} catch (error) {
  if (error instanceof Obstacle) {
    console.log(`SKIPPED: the image is not built and run here: ${error.message}`);
  } else {
    console.error(error);
    process.exitCode = 1;
  }
} finally {
  await close();
  if (process.argv.includes('--clean')) await removeCache();
}
