import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { PACKAGE_ROOT } from '../../src/config/index.js';
import { LABELS, type MetricDefinition, METRICS } from '../../src/infra/metrics/metric-definitions.js';

const definitions: readonly MetricDefinition[] = Object.values(METRICS);
const page = readFileSync(join(PACKAGE_ROOT, 'docs', 'metrics.md'), 'utf8');
/** The page without the padding of its tables. */
const rows = page
  .split('\n')
  .map((line) => line.replaceAll(/\s+\|/g, ' |').replaceAll(/\|\s+/g, '| ').trim());

/** The remedy for failures of the tests about the page. */
const REMEDY = 'Run `npm run docs:metrics`.';

describe('the metrics', () => {
  test('have unique names that follow the conventions of Prometheus', () => {
    const names = definitions.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, type } of definitions) {
      expect(name).toMatch(/^(parley|gen_ai|http_server|db_client)_[a-z][a-z_]*[a-z]$/);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      // Base units only: seconds, bytes and dollars.
      expect(name).not.toMatch(/_(ms|milliseconds|minutes|kb|mb|kilobytes|cents|micro\w*)(_|$)/);
      if (name.includes('duration') || name.includes('time_to')) expect(name).toMatch(/_seconds$/);
    }
  });

  test('have ascending buckets if they are histograms, and otherwise none', () => {
    for (const { type, buckets = [] } of definitions) {
      expect(buckets.length > 0).toBe(type === 'histogram');
      expect(buckets).toEqual([...buckets].sort((one, other) => one - other));
    }
  });

  test('have help texts that are sentences, and labels that are described and used', () => {
    for (const { help } of definitions) expect(help).toMatch(/^[A-Z\d].*\.$/);
    const used = new Set(definitions.flatMap(({ labels }) => labels));
    expect([...used].sort()).toEqual(Object.keys(LABELS).sort());
  });

  test('have no label for anything that callers choose', () => {
    const suspicious =
      /(^|_)(id|user|account|email|key_id|path|url|query|address|ip|message|conversation|file)(_|$)/;
    expect(Object.keys(LABELS).filter((label) => suspicious.test(label))).toEqual([]);
  });

  test(`are all in docs/metrics.md with their type, labels and help, and nothing else is. ${REMEDY}`, () => {
    const expected = definitions.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    );
    const normalized = expected.map((row) => row.replaceAll(/\s+\|/g, ' |').replaceAll(/\|\s+/g, '| '));
    const listed = rows.filter((row) => /^\| `\w+` \| (counter|gauge|histogram) \|/.test(row));
    expect(listed).toEqual(normalized);
  });

  test(`have all their labels in docs/metrics.md. ${REMEDY}`, () => {
    for (const [name, values] of Object.entries(LABELS))
      expect(rows).toContain(`| \`${name}\` | ${values} |`);
  });
});
