import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from './programs.mjs';

/** The one folder with everything that outlives a run: the base image, in buildah's storage. */
export const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'parley', 'image');

/** Returns true if a process runs, also one of another user. */
function isAlive(processId) {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Makes this process the only user of the folder, until it ends. */
async function occupy(file) {
  const owner = Number(await readFile(file, 'utf8').catch(() => ''));
  if (owner > 0 && owner !== process.pid && isAlive(owner))
    throw new Error(`${cacheFolder} is in use by process ${owner}.`);
  await writeFile(file, String(process.pid));
}

/** Returns a name for a container or an image of this process. */
export function runName(what) {
  return `parley-run-${process.pid}-${what}`;
}

/**
 * Opens the storage in the cache folder, which is buildah's alone: the machine's own images are not touched. The
 * driver copies files, because overlays do not work inside most containers.
 */
export async function openStorage() {
  await mkdir(cacheFolder, { recursive: true, mode: 0o700 });
  const at = (name) => join(cacheFolder, name);
  await occupy(at('owner'));
  await writeFile(
    at('storage.conf'),
    `[storage]\ndriver = "vfs"\nrunroot = "${at('run')}"\ngraphroot = "${at('store')}"\n`,
  );
  await writeFile(at('registries.conf'), 'unqualified-search-registries = ["docker.io"]\n');
  // Images come from this storage and have no signatures.
  await writeFile(at('policy.json'), '{ "default": [{ "type": "insecureAcceptAnything" }] }\n');
  const env = {
    CONTAINERS_STORAGE_CONF: at('storage.conf'),
    CONTAINERS_REGISTRIES_CONF: at('registries.conf'),
    BUILDAH_ISOLATION: 'chroot',
    // Temporary copies of layers, which are too large for a /tmp in memory.
    TMPDIR: cacheFolder,
  };
  const buildah = (...words) => run('buildah', words, { env });
  const storage = {
    policy: at('policy.json'),
    buildah,
    /** Removes what a killed run has left: all containers, and all images but the base. */
    async removeLeftovers() {
      await buildah('rm', '--all');
      const images = JSON.parse((await buildah('images', '--json')).stdout || '[]') ?? [];
      const leftovers = images.filter(({ names }) => !names?.some((name) => name.startsWith('docker.io/')));
      for (const { id } of leftovers) await buildah('rmi', '--force', id);
    },
    /** Returns true if there is an image of that name. */
    async has(name) {
      const images = JSON.parse((await buildah('images', '--json')).stdout || '[]') ?? [];
      return images.some(({ names }) => names?.includes(name));
    },
  };
  await storage.removeLeftovers();
  return storage;
}

/** Removes the cache folder. */
export async function removeCache() {
  await rm(cacheFolder, { recursive: true, force: true });
}
