// Names and prose follow the rules in CONTRIBUTING.md; this keeps a private dialect from growing back.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');

/** Words that a newcomer has to translate, and what to write instead. Names in backticks are not prose. */
const BANNED: Readonly<Record<string, string>> = {
  'common tongue': 'canonical format (OpenAI Chat Completions)',
  wire: 'protocol, or API format',
  wires: 'protocols, or API formats',
  told: 'sent to the model, reported, or notified',
  whoever: 'the caller, or name who',
  chore: 'conversation task',
  chores: 'conversation tasks',
  'there where': 'present only if',
  'what becomes of': 'what happens to',
  'by the word of': 'according to',
};

/** Words that no identifier contains. */
const BANNED_IN_NAMES: ReadonlySet<string> = new Set([
  'chore',
  'chores',
  'told',
  'tongue',
  'untold',
  'whoever',
  'wire',
  'wires',
]);

/** Maximum number of TSDoc comments in src that begin with a question word. */
const MAX_QUESTIONS = 2;

const BANNED_PATTERN = new RegExp(`\\b(${Object.keys(BANNED).join('|')})\\b`, 'giu');

/** TSDoc that begins like this describes a question instead of a thing or an action. */
const QUESTION = /^(What|Whether|How|Where)\b/;

/** SQL keywords: text with one of them contains names of the database, which keep their names. */
const SQL = /\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE)\b/;

const sources = parse('src/**/*.ts').filter(({ fileName }) => !fileName.startsWith('src/generated/'));
const production = sources.filter(({ fileName }) => !fileName.endsWith('.spec.ts'));
const specs = [...sources.filter(({ fileName }) => fileName.endsWith('.spec.ts')), ...parse('test/**/*.ts')];
const scripts = parse('*.mjs', 'scripts/**/*.mjs', 'bench/**/*.{mjs,ts}', 'test/**/*.mjs');
const thisFile = 'test/static/names.spec.ts';

const pages = globSync(['*.md', 'docs/*.md', 'docs/adr/*.md'], { cwd: root });

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

function parse(...patterns: string[]): ts.SourceFile[] {
  return globSync(patterns, { cwd: root }).map((file) =>
    ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true),
  );
}

/** Returns the comments of a file, without their marks. A comment after code is not among them. */
function commentsOf(text: string): string[] {
  const comments = text.match(/\/\*\*?[^*][\s\S]*?\*\/|^ *\/\/.*$/gm) ?? [];
  return comments.map((comment) => comment.replace(/^ *(\/\*\*?|\/\/\/?) *|\*\/$|\n *\*/g, ' ').trim());
}

/** Returns the TSDoc comments of a file, without their marks. */
function documentationOf(text: string): string[] {
  return commentsOf(text.replace(/^ *\/\/.*$/gm, ''));
}

function bannedIn(text: string): string[] {
  const prose = text.replace(/^ *```.*?^ *```$/gms, '').replace(/`[^`\n]*`|\]\([^)]*\)/g, '');
  return Array.from(prose.matchAll(BANNED_PATTERN), ([word]) => word.toLowerCase());
}

/** Returns the banned words of a list of texts, each with the file that it is in. */
function bannedAmong(fileName: string, texts: readonly string[]): string[] {
  return texts.flatMap((text) => bannedIn(text).map((word) => `${fileName}: ${word}`));
}

function nodesOf(source: ts.SourceFile): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return nodes;
}

/** Returns the string literals of a file that are prose: texts of the API, errors, log lines, prompts. */
function proseOf(source: ts.SourceFile): string[] {
  return nodesOf(source)
    .filter((node) => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node))
    .map((node) => (ts.isTemplateExpression(node) ? node.getText(source).slice(1, -1) : node.text))
    .filter((text) => text.includes(' ') && !SQL.test(text));
}

/** Returns the names of the tests and groups of a file; a template as it is written. */
function testNamesOf(source: ts.SourceFile): string[] {
  return nodesOf(source).flatMap((node) => {
    if (!ts.isCallExpression(node) || !/^(describe|it|test)\b/.test(node.expression.getText(source)))
      return [];
    const [name] = node.arguments;
    if (name === undefined) return [];
    if (ts.isStringLiteralLike(name)) return [name.text];
    return ts.isTemplateExpression(name) ? [name.getText(source).slice(1, -1)] : [];
  });
}

/** Returns the function or class that the name of a test begins with, if it names one. */
function subjectOf(testName: string): string | undefined {
  return /^[a-z]+[A-Z]\w*(?= |$)/.exec(testName)?.[0] ?? /^[A-Z]\w*[a-z][A-Z]\w*$/.exec(testName)?.[0];
}

function identifiersOf(source: ts.SourceFile): Set<string> {
  return new Set(
    nodesOf(source)
      .filter((node) => ts.isIdentifier(node) || ts.isPrivateIdentifier(node))
      .map(({ text }) => text),
  );
}

/** Splits an identifier into its words: `toldBy`, `TOLD_ONCE`. */
function wordsOf(identifier: string): string[] {
  return identifier
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
}

function exportedNames(source: ts.SourceFile): string[] {
  return source.statements.flatMap((statement) => {
    const isExported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
    if (!isExported) return [];
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.map(({ name }) => name.getText(source));
    const isNamed =
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement);
    return isNamed && statement.name !== undefined ? [statement.name.text] : [];
  });
}

/** Returns the names that several files export, with those files. */
function exportedTwice(files: readonly ts.SourceFile[]): [string, string[]][] {
  const filesByName = new Map<string, string[]>();
  for (const source of files) {
    for (const name of new Set(exportedNames(source)))
      filesByName.set(name, [...(filesByName.get(name) ?? []), source.fileName]);
  }
  return [...filesByName].filter(([, fileNames]) => fileNames.length > 1);
}

describe('names and prose', () => {
  it('finds a banned word in prose and not in code', () => {
    expect(bannedIn('It is told on the wire; `wire` is a name.')).toEqual(['told', 'wire']);
    const text = ['/** Is told. */', 'const told = 1;'].join('\n');
    expect(commentsOf(text)).toEqual(['Is told.']);
  });

  it('finds the strings, test names and identifiers of a file', () => {
    const text = "it.each([])('readText is told', () => { const toldBy = `no ${1} chore`; f('wire'); });";
    const source = ts.createSourceFile('a.spec.ts', text, ts.ScriptTarget.Latest, true);
    expect(proseOf(source)).toEqual(['readText is told', 'no ${1} chore']);
    expect(testNamesOf(source)).toEqual(['readText is told']);
    expect(subjectOf('readText is told')).toBe('readText');
    expect(subjectOf('A stream ends')).toBeUndefined();
    expect([...identifiersOf(source)].flatMap(wordsOf)).toContain('told');
  });

  it('no comment has a banned word', () => {
    const files = [...sources, ...specs, ...scripts].filter(({ fileName }) => fileName !== thisFile);
    const found = files.flatMap(({ fileName, text }) => bannedAmong(fileName, commentsOf(text)));
    expect(found).toEqual([]);
    expect(bannedAmong('schema.prisma', commentsOf(read('prisma/schema.prisma')))).toEqual([]);
  });

  it('no text of the API, error, log line or prompt has a banned word', () => {
    expect(production.flatMap((source) => bannedAmong(source.fileName, proseOf(source)))).toEqual([]);
  });

  it('no name of a test has a banned word', () => {
    const files = specs.filter(({ fileName }) => fileName !== thisFile);
    expect(files.flatMap((source) => bannedAmong(source.fileName, testNamesOf(source)))).toEqual([]);
  });

  it('no page of the documentation has a banned word', () => {
    expect(pages.flatMap((page) => bannedAmong(page, [read(page)]))).toEqual([]);
  });

  it('no identifier contains a banned word', () => {
    const files = [...production, ...specs, ...scripts].filter(({ fileName }) => fileName !== thisFile);
    const found = files.flatMap((source) =>
      Array.from(identifiersOf(source))
        .filter((name) => wordsOf(name).some((word) => BANNED_IN_NAMES.has(word)))
        .map((name) => `${source.fileName}: ${name}`),
    );
    expect(found).toEqual([]);
  });

  it('hardly any TSDoc comment begins with a question word', () => {
    const comments = production.flatMap(({ text }) => documentationOf(text));
    expect(comments.length).toBeGreaterThan(1_000);
    expect(comments.filter((comment) => QUESTION.test(comment)).slice(MAX_QUESTIONS)).toEqual([]);
  });

  it('a test that names a function or class names one that exists', () => {
    const known = new Set(production.flatMap((source) => [...identifiersOf(source)]));
    const found = specs.flatMap((source) =>
      testNamesOf(source)
        .map(subjectOf)
        .filter((subject) => subject !== undefined && !known.has(subject))
        .map((subject) => `${source.fileName}: ${subject}`),
    );
    expect(found).toEqual([]);
  });

  it('every exported name is exported by one file', () => {
    expect(exportedTwice(sources)).toEqual([]);
    expect(exportedTwice(parse('test/support/**/*.ts'))).toEqual([]);
  });
});
