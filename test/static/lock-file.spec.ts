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
