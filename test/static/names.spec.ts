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

const BANNED_PATTERN = new RegExp(`\\b(${Object.keys(BANNED).join('|')})\\b`, 'giu');

/** TSDoc that begins like this describes a question instead of a thing or an action. */
const QUESTION = /^(What|Whether|How|Where)\b/;

const sources = globSync('src/**/*.ts', { cwd: root })
  .filter((file) => !file.startsWith('src/generated/'))
  .map((file) => ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true));

const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...globSync('docs/*.md', { cwd: root })];

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Returns the comments of a file, without their marks. A comment behind code is not among them. */
function commentsOf(text: string): string[] {
  const comments = text.match(/\/\*\*?[^*][\s\S]*?\*\/|^ *\/\/.*$/gm) ?? [];
  return comments.map((comment) => comment.replace(/^ *(\/\*\*?|\/\/) *|\*\/$|\n *\*/g, ' ').trim());
}

function bannedIn(text: string): string[] {
  const prose = text.replace(/^ *```.*?^ *```$/gms, '').replace(/`[^`\n]*`|\]\([^)]*\)/g, '');
  return Array.from(prose.matchAll(BANNED_PATTERN), ([word]) => word.toLowerCase());
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

describe('names and prose', () => {
  it('finds a banned word in prose and not in code', () => {
    expect(bannedIn('It is told on the wire; `wire` is a name.')).toEqual(['told', 'wire']);
    const source = ['/** Is told. */', 'const told = 1;'].join('\n');
    expect(commentsOf(source)).toEqual(['Is told.']);
  });

  it('no comment in src has a banned word', () => {
    const found = sources.flatMap((source) =>
      commentsOf(source.text).flatMap((comment) =>
        bannedIn(comment).map((word) => `${source.fileName}: ${word}`),
      ),
    );
    expect(found).toEqual([]);
  });

  it('no page of the documentation has a banned word', () => {
    expect(pages.flatMap((page) => bannedIn(read(page)).map((word) => `${page}: ${word}`))).toEqual([]);
  });

  it('at most 2 % of the TSDoc comments begin with a question word', () => {
    const comments = sources.flatMap(({ text }) => commentsOf(text));
    const questions = comments.filter((comment) => QUESTION.test(comment));
    expect(comments.length).toBeGreaterThan(1_000);
    expect(questions.length / comments.length).toBeLessThan(0.02);
  });

  it('every exported name is exported by one file', () => {
    const filesByName = new Map<string, string[]>();
    for (const source of sources) {
      for (const name of exportedNames(source))
        filesByName.set(name, [...(filesByName.get(name) ?? []), source.fileName]);
    }
    expect([...filesByName].filter(([, files]) => new Set(files).size > 1)).toEqual([]);
  });
});
