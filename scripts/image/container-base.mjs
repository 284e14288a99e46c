/*
 * node scripts/image/container-base.mjs [--clean] [--install-packages]
 *
 * Makes docker.io/library/node:24-slim in a storage of its own, for machines that reach the package mirrors of Debian
 * and npm but no registry of images: Debian's minimal system, the Node of this project, and npm. The image is kept
 * until Node, npm or Debian's release changes. --clean removes it with its storage; --install-packages installs
 * buildah and debootstrap.
 */
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkMachine, installPackages, Obstacle, run } from './programs.mjs';
import { cacheFolder, openStorage, removeCache, runName } from './storage.mjs';

/** The name in the Dockerfile. */
export const baseName = 'docker.io/library/node:24-slim';

const root = dirname(dirname(import.meta.dirname));
const node = join(root, 'node_modules', 'node', 'bin', 'node');

/** Reads the release of this Debian and the mirror that its own package manager uses for it. */
async function readDebian() {
  const release = Object.fromEntries(
    (await readFile('/etc/os-release', 'utf8'))
      .split('\n')
      .map((line) => line.split('='))
      .map(([name, value = '']) => [name, value.replaceAll('"', '')]),
  );
  if (release.ID !== 'debian') throw new Obstacle(`the base is made on Debian; this is ${release.ID}`);
  const suite = release.VERSION_CODENAME;
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(SITE) $(CODENAME) $(COMPONENT)']);
  const site = stdout
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, codename, component]) => codename === suite && component === 'main')?.[0];
  if (site === undefined) throw new Obstacle(`the package manager names no mirror of Debian ${suite}`);
  return { suite, site };
}

/** Checks that a mirror has the release. */
async function checkMirror({ suite, site }) {
  const url = `${site.replace(/\/$/, '')}/dists/${suite}/Release`;
  const response = await fetch(url, { method: 'HEAD' }).catch(() => undefined);
  if (!response?.ok) throw new Obstacle(`the package mirror does not respond (${url})`);
}

/** Returns the folder of the npm that PATH finds. */
async function npmFolder() {
  const { stdout } = await run('sh', ['-c', 'command -v npm']);
  const cli = await realpath(stdout);
  if (!cli.endsWith('/bin/npm-cli.js')) throw new Error(`${stdout} is not npm itself but a script`);
  return dirname(dirname(cli));
}

async function fillBase(folder, { suite, site }, npm) {
  // debootstrap mounts /proc in the folder; in a namespace of its own, no mount outlives it.
  const words = ['--mount', 'debootstrap', '--variant=minbase', suite, folder, site];
  await run('unshare', words);
  const local = join(folder, 'usr', 'local');
  await copyFile(node, join(local, 'bin', 'node'));
  await chmod(join(local, 'bin', 'node'), 0o755);
  await mkdir(join(local, 'lib', 'node_modules'), { recursive: true });
  await cp(npm, join(local, 'lib', 'node_modules', 'npm'), { recursive: true });
  for (const name of ['npm', 'npx'])
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name));
  const account = 'groupadd --gid 1000 node && useradd --uid 1000 --gid node --create-home node';
  await run('chroot', [folder, 'sh', '-c', account]);
}

/**
 * Makes the base image, unless the storage has it already.
 * @returns true if it was made
 */
export async function makeBase(storage) {
  const [debian, npm] = await Promise.all([readDebian(), npmFolder()]);
  const npmVersion = JSON.parse(await readFile(join(npm, 'package.json'), 'utf8')).version;
  const nodeVersion = (await run(node, ['--version'])).stdout;
  const script = await readFile(import.meta.filename, 'utf8');
  const inputs = [debian.suite, nodeVersion, npmVersion, script];
  const wanted = createHash('sha256').update(inputs.join('\0')).digest('hex');
  const stamp = join(cacheFolder, 'base');
  const known = await readFile(stamp, 'utf8').catch(() => undefined);
  if (known === wanted && (await storage.has(baseName))) return false;

  await checkMirror(debian);
  const { buildah } = storage;
  const container = runName('base');
  await buildah('from', '--name', container, 'scratch');
  try {
    const { stdout: folder } = await buildah('mount', container);
    await fillBase(folder, debian, npm);
    const path = ['sbin', 'bin'].flatMap((name) => [`/usr/local/${name}`, `/usr/${name}`, `/${name}`]);
    await buildah('config', '--env', `PATH=${path.join(':')}`, '--cmd', 'node', container);
    const words = ['--quiet', '--format', 'docker', '--signature-policy', storage.policy];
    await buildah('commit', ...words, container, baseName);
  } finally {
    await buildah('rm', container);
  }
  await writeFile(stamp, wanted);
  return true;
}

if (import.meta.main) {
  if (process.argv.includes('--clean')) {
    await removeCache();
  } else {
    if (process.argv.includes('--install-packages')) await installPackages();
    checkMachine();
    const made = await makeBase(await openStorage());
    console.log(
      `${made ? 'Made' : 'Found'} ${baseName}. To use it: ` +
        `CONTAINERS_STORAGE_CONF=${join(cacheFolder, 'storage.conf')} buildah images`,
    );
  }
}
