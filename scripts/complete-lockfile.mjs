/*
 * node scripts/complete-lockfile.mjs
 *
 * Run this after every change of dependencies. npm omits optional packages for other platforms from the lock file if
 * its registry does not have them, and `npm ci` then rejects that very lock file as incomplete. This script adds them
 * by name and version, so that the file is complete on every platform.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const systems = {
  aix: 'aix',
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  linux: 'linux',
  netbsd: 'netbsd',
  openbsd: 'openbsd',
  openharmony: 'openharmony',
  sunos: 'sunos',
  win32: 'win32',
  windows: 'win32',
};
const processors = 'arm arm64 ia32 loong64 mips64el ppc64 riscv64 s390x wasm32 x64'.split(' ');

/** Returns true if a package at a path finds the other one, by Node's lookup through the parent folders. */
function finds(packages, path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true;
    if (folder === '') return false;
  }
}

/** Returns the entry of a platform package; undefined if the name does not belong to a platform. */
function platformEntry(name, version, dev) {
  const words = name.split(/[-/]/);
  const os = words.map((word) => systems[word]).find(Boolean);
  const cpu = words.find((word) => processors.includes(word));
  if ((!os && !cpu) || !/^\d/.test(version)) return undefined;
  return {
    version,
    ...(cpu && { cpu: [cpu] }),
    ...(dev && { dev }),
    optional: true,
    ...(os && { os: [os] }),
  };
}

const file = join(import.meta.dirname, '..', 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = {};
for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const entry = finds(lock.packages, path, name) ? undefined : platformEntry(name, version, dev);
    if (entry) added[`node_modules/${name}`] = entry;
  }
}
const { '': root, ...packages } = { ...lock.packages, ...added };
const sorted = Object.entries(packages).sort(([one], [other]) => one.localeCompare(other, 'en'));
lock.packages = { '': root, ...Object.fromEntries(sorted) };
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(added).length} packages of other platforms added to package-lock.json`);
