import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { PACKAGE_ROOT, parseSettings, SETTINGS } from '../../src/config/index.js';
import { ERROR_TABLE } from '../../src/http/errors/error-table.js';

const settings = Object.entries(SETTINGS);
const read = (name: string): string => readFileSync(join(PACKAGE_ROOT, name), 'utf8');

/** The remedy for failures of the tests below. */
const REMEDY = 'Run `npm run docs:settings`.';

/**
 * Returns the groups between the markers in docs/configuration.md: the title and the cells of the table
 * without its head.
 */
function groupsOfConfiguration(): { title: string; rows: string[][] }[] {
  const [, inside] =
    /<!-- settings:begin -->(.*)<!-- settings:end -->/s.exec(read('docs/configuration.md')) ?? [];
  const [before, ...sections] = (inside ?? '').split(/^## /m);
  expect(before?.trim()).toBe('');
  return sections.map((section) => {
    const [title = '', ...lines] = section.trim().split('\n');
    const [head, line, ...rows] = lines.filter((text) => text !== '').map(cellsOf);
    expect(head).toEqual(['variable', 'default', 'description']);
    expect(line?.every((cell) => /^-+$/.test(cell))).toBe(true);
    return { title, rows };
  });
}

/** Splits a row into cells; a bar within a cell is written `\|`. */
function cellsOf(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

interface Entry {
  readonly comment: string;
  readonly name: string;
  readonly value: string;
}

/** Returns the variables of .env.example with their comments. */
function entriesOfExample(): Entry[] {
  const [, ...blocks] = read('.env.example').trimEnd().split('\n\n');
  return blocks.map((block) => {
    const match = /^((?:# .*\n)+)# ([A-Z0-9_]+)=(.*)$/.exec(block);
    if (match === null) throw new Error(`.env.example has a block of another form:\n${block}`);
    const [, comment = '', name = '', value = ''] = match;
    return { comment, name, value };
  });
}

describe('docs/configuration.md', () => {
  test(`lists every setting once with its default and description, and nothing else. ${REMEDY}`, () => {
    const expected = settings.map(([name, { fallback, defaultLabel, description }]) => [
      `\`${name}\``,
      fallback === undefined ? defaultLabel : `\`${defaultLabel}\``,
      description,
    ]);
    const rows = groupsOfConfiguration().flatMap((group) => group.rows);
    expect(rows.toSorted(byName)).toEqual(expected.toSorted(byName));
  });

  test(`has a title and at least two settings in every group. ${REMEDY}`, () => {
    for (const group of groupsOfConfiguration()) {
      expect(group.title).not.toBe('');
      expect({ title: group.title, enough: group.rows.length > 1 }).toEqual({
        title: group.title,
        enough: true,
      });
    }
  });
});

function byName([one = '']: string[], [other = '']: string[]): number {
  return one < other ? -1 : 1;
}

describe('.env.example', () => {
  test(`lists every setting with its default, and nothing else. ${REMEDY}`, () => {
    expect(entriesOfExample().map(({ name, value }) => [name, value])).toEqual(
      settings.map(([name, { fallback, defaultLabel }]) => [
        name,
        fallback === undefined ? '' : defaultLabel,
      ]),
    );
  });

  test(`describes each setting and the values that it accepts. ${REMEDY}`, () => {
    for (const [index, { name, comment }] of entriesOfExample().entries()) {
      const setting = settings[index]?.[1];
      expect({ name, comment }).toEqual({
        name,
        comment: expect.stringContaining(`# ${setting?.description ?? '?'}.`),
      });
      expect({ name, comment }).toEqual({
        name,
        comment: expect.stringContaining(`Accepts: ${setting?.accepts ?? '?'}.`),
      });
      expect({ name, hint: comment.includes('Never printed.') }).toEqual({
        name,
        hint: setting?.secret,
      });
    }
  });

  test('changes no setting, whether or not its lines are uncommented', () => {
    expect(read('.env.example')).toMatch(/^(#.*|)(\n(#.*|))*\n$/);
    const values = Object.fromEntries(entriesOfExample().map(({ name, value }) => [name, value]));
    expect(parseSettings(values)).toEqual(parseSettings({}));
  });

  test('contains no secret', () => {
    const secrets = entriesOfExample().filter((_entry, index) => settings[index]?.[1].secret);
    expect(secrets.length).toBeGreaterThan(0);
    // An empty list of hosts contains no key.
    for (const { name, value } of secrets)
      expect({ name, value }).toEqual({ name, value: name === 'LLM_HOSTS' ? '[]' : '' });
  });
});

test('the settings parser reads every variable of the table', () => {
  for (const [name, { parse, fallback, defaultLabel }] of settings) {
    // The parser must accept each documented default.
    if (fallback !== undefined)
      expect({ name, value: parse(defaultLabel) }).toEqual({ name, value: fallback });
  }
});

describe('docs/errors.md', () => {
  test('lists every code of the error table with its status, type and meaning', () => {
    const rows = read('docs/errors.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map(cellsOf);
    const expected = Object.entries(ERROR_TABLE).map(([code, { status, type, meaning }]) => [
      `\`${code}\``,
      String(status),
      type,
      meaning,
    ]);
    expect(rows).toEqual(expected);
  });
});

test('README.md stays short: it has at most 150 lines', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(151);
});
