import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as nest from '@nestjs/common';
import { ESLint } from 'eslint';

const root = join(import.meta.dirname, '../..');
const configPath = join(root, 'eslint.config.mjs');

/** Paths of the linted snippets. */
const places = {
  service: 'src/features/planted/planted.service.ts',
  controller: 'src/features/planted/planted.controller.ts',
  guard: 'src/features/planted/planted.guard.ts',
  http: 'src/http/planted.ts',
  gateway: 'src/gateway/planted/planted.ts',
  config: 'src/config/planted.ts',
  test: 'test/support/planted.ts',
};
type Place = keyof typeof places;

/** A project with only these files, because reading the types of the real one takes many seconds. */
let folder: string;
let eslint: ESLint;

beforeAll(async () => {
  // The real path, because ESLint compares paths.
  folder = await realpath(await mkdtemp(join(tmpdir(), 'parley-lint-')));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { rootDir: '.' },
      include: ['src', 'test'],
    }),
  );
  for (const place of Object.values(places)) {
    await mkdir(join(folder, dirname(place)), { recursive: true });
    await writeFile(join(folder, place), 'export {};\n');
  }
  eslint = new ESLint({
    cwd: folder,
    overrideConfigFile: configPath,
    overrideConfig: {
      files: ['**/*.ts'],
      languageOptions: { parserOptions: { tsconfigRootDir: folder } },
    },
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Returns the rules that the snippet breaks; `null` stands for ESLint itself. */
async function brokenBy(place: Place, code: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(code, { filePath: join(folder, places[place]) });
  expect(result?.fatalErrorCount).toBe(0);
  return [...new Set(result?.messages.map(({ ruleId }) => ruleId))];
}

const throwNotFound = "import { NotFoundException } from '@nestjs/common';\nthrow new NotFoundException();\n";
const readEnvironment = "export const home = process.env['HOME'];\n";

describe('the lint rules reject', () => {
  test.each<[string, string | null, string]>([
    ['process.env', 'no-restricted-properties', readEnvironment],
    ['env destructured from process', 'no-restricted-properties', 'export const { env } = process;\n'],
    [
      'env imported',
      'no-restricted-imports',
      "import { env } from 'node:process';\nexport const all = env;\n",
    ],
    [
      'ConfigService',
      'no-restricted-imports',
      "import { ConfigService } from '@nestjs/config';\nexport const service = ConfigService;\n",
    ],
    ['env of globalThis', 'no-restricted-syntax', 'export const all = globalThis.process.env;\n'],
    ['console', 'no-console', "console.log('here');\n"],
    ['a Nest HTTP exception', '@typescript-eslint/no-restricted-imports', throwNotFound],
    [
      'Nest as a whole',
      '@typescript-eslint/no-restricted-imports',
      "import * as nest from '@nestjs/common';\nthrow new nest.GoneException();\n",
    ],
    ['an unused disable', null, '// eslint-disable-next-line no-console\nexport const ONE = 1;\n'],
    [
      'a floating promise',
      '@typescript-eslint/no-floating-promises',
      'export function start(): void {\n  Promise.resolve(1);\n}\n',
    ],
    ['any', '@typescript-eslint/no-explicit-any', 'export type Anything = any;\n'],
    [
      'an untyped value',
      '@typescript-eslint/no-unsafe-assignment',
      "export const value: string = JSON.parse('1');\n",
    ],
    [
      'a switch that is not exhaustive',
      '@typescript-eslint/switch-exhaustiveness-check',
      "export function pick(side: 'a' | 'b'): void {\n  switch (side) {\n    case 'a':\n  }\n}\n",
    ],
    [
      'a class of statics',
      '@typescript-eslint/no-extraneous-class',
      'export class Tool {\n  static one = 1;\n}\n',
    ],
    [
      'a type imported as a value',
      '@typescript-eslint/consistent-type-imports',
      "import { Agent } from 'node:http';\nexport type Mine = Agent;\n",
    ],
    [
      'a #private member',
      'no-restricted-syntax',
      'export class Tool {\n  #one = 1;\n  two(): number {\n    return this.#one;\n  }\n}\n',
    ],
    ['a constant in camelCase', 'no-restricted-syntax', "const one = 'a';\nexport const TWO = one;\n"],
    ['an exported constant in camelCase', 'no-restricted-syntax', 'export const one = [1] as const;\n'],
    ['SQL keywords in lower case', 'no-restricted-syntax', "export const ALL = 'select id from users';\n"],
    [
      'SQL keywords in lower case in a template',
      'no-restricted-syntax',
      'export const allOf = (table: string) => `DELETE FROM a;\n  update users set name = ${table}`;\n',
    ],
    ['a file of 301 lines', 'max-lines', 'export {};\n'.repeat(301)],
  ])('%s', async (_what, rule, code) => {
    expect(await brokenBy('service', code)).toEqual([rule]);
  });
});

describe('the lint rules allow', () => {
  test.each<[string, Place, string]>([
    ['process.env in config', 'config', readEnvironment],
    ['process.env in tests', 'test', readEnvironment],
    ['console in tests', 'test', "console.log('here');\n"],
    ['a cache in camelCase', 'service', 'export const logger = new Map<string, string>();\n'],
    [
      'prose that begins like SQL',
      'service',
      "export const TEXT = 'Update the users, then set them free.';\n",
    ],
    ['HTTP exceptions in controllers', 'controller', throwNotFound],
    ['HTTP exceptions in guards', 'guard', throwNotFound],
    ['HTTP exceptions in http', 'http', throwNotFound],
    ['HTTP exceptions in the gateway', 'gateway', throwNotFound],
    [
      'empty Nest modules',
      'service',
      "import { Module } from '@nestjs/common';\n\n@Module({})\nexport class PlantedModule {}\n",
    ],
    [
      'injected classes that are imported as values',
      'service',
      [
        "import { Agent } from 'node:http';",
        "import { Injectable } from '@nestjs/common';",
        '',
        '@Injectable()',
        'export class PlantedService {',
        '  constructor(readonly agent: Agent) {}',
        '}',
        '',
      ].join('\n'),
    ],
    ['300 lines and any number of blank ones', 'service', 'export {};\n\n'.repeat(300)],
    ['longer tests', 'test', 'export {};\n'.repeat(301)],
  ])('%s', async (_what, place, code) => {
    expect(await brokenBy(place, code)).toEqual([]);
  });
});

test('the list of Nest HTTP names is complete', async () => {
  const { nestHttpNames } = (await import(pathToFileURL(configPath).href)) as { nestHttpNames: string[] };
  const exceptions = Object.entries(nest)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof nest.HttpException)
    .map(([name]) => name);

  expect(nestHttpNames).toEqual([...exceptions, 'HttpException', 'HttpStatus'].sort());
});
