// Writes the table of metrics (src/infra/metrics/metric-definitions.ts) to docs/metrics.md between the markers. Run it
// after a build: `npm run docs:metrics`.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { LABELS, METRICS } from '../dist/infra/metrics/metric-definitions.js';

const page = join(dirname(import.meta.dirname), 'docs', 'metrics.md');
const begin = '<!-- metrics:begin -->';
const end = '<!-- metrics:end -->';

const code = (text) => `\`${text}\``;

const metrics = Object.values(METRICS).map(
  ({ name, type, labels, help }) =>
    `| ${code(name)} | ${type} | ${labels.map(code).join(', ')} | ${help.replaceAll('|', '\\|')} |`,
);
const labels = Object.entries(LABELS).map(
  ([name, values]) => `| ${code(name)} | ${values.replaceAll('|', '\\|')} |`,
);
const content = [
  '| metric | type | labels | meaning |',
  '| --- | --- | --- | --- |',
  ...metrics,
  '',
  '## Labels',
  '',
  '| label | values |',
  '| --- | --- |',
  ...labels,
].join('\n');

const text = readFileSync(page, 'utf8');
const from = text.indexOf(begin);
const to = text.indexOf(end);
if (from === -1 || to < from) throw new Error(`${page} has no "${begin}" with "${end}" after it.`);
const written = `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
writeFileSync(page, await format(written, { ...(await resolveConfig(page)), filepath: page }));
