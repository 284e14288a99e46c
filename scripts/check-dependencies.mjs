// Checks the import rules of .dependency-cruiser.mjs over src, and that all of src was really read: with a compiler
// that it does not know, dependency-cruiser finds no modules and no violations, and exits 0.
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { cruise } from 'dependency-cruiser';
import rules from '../.dependency-cruiser.mjs';

const root = dirname(import.meta.dirname);
const isShipped = (path) =>
  path.startsWith('src/') && !path.startsWith('src/generated/') && !path.endsWith('.spec.ts');

const { output } = await cruise(['src'], {
  ...rules.options,
  baseDir: root,
  validate: true,
  ruleSet: { forbidden: rules.forbidden },
});

const problems = output.summary.violations.map(({ rule, from, to, cycle }) => {
  const target = cycle ? cycle.map(({ name }) => name).join(' → ') : to;
  const comment = rules.forbidden.find(({ name }) => name === rule.name)?.comment ?? '';
  return `${rule.name}: ${from}${target === from ? '' : ` → ${target}`}\n    ${comment}`;
});

const onDisk = globSync('src/**/*.ts', { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .filter(isShipped);
const read = new Set(output.modules.map(({ source }) => source).filter(isShipped));
const unread = onDisk.filter((path) => !read.has(path));
if (onDisk.length === 0) problems.push('There is no TypeScript under src.');
if (unread.length > 0 || read.size !== onDisk.length) {
  problems.push(
    `${read.size} modules were read, but src has ${onDisk.length}. Not read: ${unread.join(', ') || 'none'}.`,
  );
}

/** Folders whose subfolders are parts of their own, with an order between them. */
const split = ['src/features/chat', 'src/features', 'src/http', 'src/llm'];

/** Returns the part of src that a file belongs to; a file of src itself is a part of its own. */
function partOf(path) {
  const base = split.find((folder) => path.startsWith(`${folder}/`)) ?? 'src';
  const [first] = path.slice(base.length + 1).split('/');
  return first.includes('.') ? path.slice(4) : `${base}/${first}`.slice(4);
}

/** Prints, for each part of src, the other parts that it imports. */
function printGraph(modules) {
  const imports = new Map();
  for (const { source, dependencies } of modules.filter(({ source }) => isShipped(source))) {
    const part = partOf(source);
    const others = imports.get(part) ?? new Set();
    imports.set(part, others);
    for (const { resolved } of dependencies) {
      if (isShipped(resolved) && partOf(resolved) !== part) others.add(partOf(resolved));
    }
  }
  for (const [part, others] of [...imports].sort(([one], [other]) => one.localeCompare(other)))
    console.log(`${part} → ${[...others].sort().join(', ') || 'nothing of ours'}`);
}

printGraph(output.modules);
if (problems.length > 0) {
  console.error(problems.join('\n'));
  console.error(`${read.size} modules, ${problems.length} violations`);
  process.exitCode = 1;
} else {
  console.log(`${read.size} modules, no violations`);
}
