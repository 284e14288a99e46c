import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PACKAGE_ROOT } from '../../src/config/index.js';
import { at } from './client.js';

/** A folder with what is in the image, outside of the checkout. */
export interface ProductionFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Makes a folder that has only what the image has: these files of the checkout, `dist`, and the packages that a
 * production install would leave, without the files that the image does without.
 */
export function makeProductionFolder(files: readonly string[]): ProductionFolder {
  const path = mkdtempSync(join(tmpdir(), 'parley-production-'));
  for (const file of [...files, 'dist', 'package-lock.json'])
    cpSync(join(PACKAGE_ROOT, file), join(path, file), { recursive: true });
  for (const directory of productionDirectories())
    linkTree(join(PACKAGE_ROOT, directory), join(path, directory));
  const prune = join(PACKAGE_ROOT, 'scripts', 'production-modules.mjs');
  const { status, stderr } = spawnSync(process.execPath, [prune, path, '--no-install'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Lists the directories in node_modules that `npm ci` makes in the image, by the flags in the lock file. */
function productionDirectories(): string[] {
  const lock: unknown = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package-lock.json'), 'utf8'));
  const packages = Object.entries(Object(at(lock, 'packages')) as Record<string, unknown>);
  const has = (entry: unknown, flag: string): boolean => at(entry, flag) === true;
  return packages
    .filter(([path, entry]) => {
      if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || has(entry, 'dev') || has(entry, 'devOptional'))
        return false;
      // The native code of the packages that are left is optional, too.
      return !has(entry, 'optional') || path.startsWith('node_modules/@node-rs/');
    })
    .map(([path]) => path);
}

/** Copies a directory if it exists. The files are links: deleting one does not affect the original. */
function linkTree(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  let entries;
  try {
    entries = readdirSync(from, { withFileTypes: true });
  } catch {
    // The code of another platform.
    return;
  }
  mkdirSync(to);
  for (const entry of entries) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkTree(source, target);
    else linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    // The temporary directory is on another file system.
    copyFileSync(source, target);
  }
}
