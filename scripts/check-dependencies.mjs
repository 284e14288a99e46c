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

if (problems.length > 0) {
  console.error(problems.join('\n'));
  console.error(`${read.size} modules, ${problems.length} violations`);
  process.exitCode = 1;
} else {
  console.log(`${read.size} modules, no violations`);
}
