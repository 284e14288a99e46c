import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PACKAGE_ROOT } from '../../src/config/index.js';

/** The documents whose links are checked. */
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'docs/**/*.md',
  'bench/*.md',
];

/** Lists the relative links of documents that lead to no file or to no heading, each with its document. */
function brokenLinks(root: string, patterns: readonly string[]): string[] {
  const paths = patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).toSorted();
  return paths.flatMap((path) => {
    const links = linksOf(readFileSync(join(root, path), 'utf8'));
    return links.filter((link) => !leadsSomewhere(root, path, link)).map((link) => `${path}: ${link}`);
  });
}

/** Returns the targets of the links and images of a document, without those in code. */
function linksOf(markdown: string): string[] {
  const prose = withoutFences(markdown).replaceAll(/`[^`\n]*`/g, '');
  return Array.from(prose.matchAll(/\]\(([^()\s]+)\)/g), ([, target = '']) => target);
}

function withoutFences(markdown: string): string {
  return markdown.replaceAll(/^```.*?^```$/gms, '');
}

function leadsSomewhere(root: string, from: string, link: string): boolean {
  if (/^[a-z]+:/.test(link)) return true;
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? join(root, from) : join(root, dirname(from), path);
  if (relative(root, target).startsWith('..') || !existsSync(target)) return false;
  if (anchor === undefined) return true;
  return target.endsWith('.md') && anchorsOf(readFileSync(target, 'utf8')).has(anchor);
}

/** Returns the anchors of the headings of a document, as GitHub makes them. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutFences(markdown).matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .trim()
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

test('every relative link of the documentation leads to a file and a heading that exist', () => {
  expect(brokenLinks(PACKAGE_ROOT, DOCUMENTS)).toEqual([]);
});

test('the documents with links to check exist', () => {
  for (const pattern of DOCUMENTS)
    expect({ pattern, found: globSync(pattern, { cwd: PACKAGE_ROOT }).length > 0 }).toEqual({
      pattern,
      found: true,
    });
});

describe('the link checker', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-links-'));
    await mkdir(join(folder, 'docs'));
    await writeFile(
      join(folder, 'docs', 'guide.md'),
      '# Guide\n\n## First `steps`, please\n\n## Again\n\n## Again\n\n```sh\n# not a heading\n```\n',
    );
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Checks a document in the parent directory of docs. */
  async function check(markdown: string): Promise<string[]> {
    await writeFile(join(folder, 'README.md'), markdown);
    return brokenLinks(folder, ['*.md']);
  }

  test.each([
    'docs/missing.md',
    'docs/guide.md#missing',
    'docs/guide.md#not-a-heading',
    'docs/guide.md#again-2',
    '#missing',
    '../outside.md',
    'docs#guide',
  ])('reports that %s leads nowhere', async (link) => {
    expect(await check(`# Title\n\nA [link](${link}).\n`)).toEqual([`README.md: ${link}`]);
  });

  test.each([
    'docs/',
    'docs/guide.md',
    'docs/guide.md#first-steps-please',
    'docs/guide.md#again-1',
    '#title',
    'https://example.com/#anything',
  ])('accepts %s', async (link) => {
    expect(await check(`# Title\n\nA [link](${link}).\n`)).toEqual([]);
  });

  test('ignores link syntax in code', async () => {
    expect(await check('`a[0](missing.md)`\n\n```js\na[0](missing.md)\n```\n')).toEqual([]);
  });
});
