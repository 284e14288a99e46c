import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { PACKAGE_ROOT } from '../../../src/config/index.js';
import { at, listAt } from '../../support/client.js';
import { describeWithProgram, findProgram, PROMTOOL } from '../../support/debian-program.js';
import {
  alertRules,
  DASHBOARD_FILE,
  dashboardExpressions,
  PROMETHEUS_FILE,
  RULES_FILE,
} from '../../support/monitoring.js';

const ALERT_TESTS = join(import.meta.dirname, 'alerts.test.yml');

const promtool = await findProgram(PROMTOOL);

function read(...path: string[]): unknown {
  const text = readFileSync(join(PACKAGE_ROOT, ...path), 'utf8');
  return parse(text, { merge: true }) as unknown;
}

describeWithProgram('promtool', promtool, (program) => {
  const run = (...parameters: string[]) => {
    const { status, stdout, stderr } = spawnSync(program, parameters, { encoding: 'utf8' });
    return { status, output: `${stdout}${stderr}` };
  };

  test('check config accepts prometheus.yml', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-prometheus-'));
    try {
      const token = join(folder, 'token');
      await writeFile(token, 'a token');
      const config = readFileSync(PROMETHEUS_FILE, 'utf8')
        .replaceAll('/run/secrets/metrics_token', token)
        .replace('rules/*.yml', RULES_FILE);
      await writeFile(join(folder, 'prometheus.yml'), config);
      const { status, output } = run('check', 'config', join(folder, 'prometheus.yml'));
      expect({ status, output }).toEqual({
        status: 0,
        output: expect.stringContaining('1 rule files found'),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('check rules accepts every alert', () => {
    const { status, output } = run('check', 'rules', RULES_FILE);
    expect({ status, output }).toEqual({
      status: 0,
      output: expect.stringContaining(`${alertRules().length} rules found`),
    });
  });

  test('test rules passes: each alert fires when it should, and only then', () => {
    const { status, output } = run('test', 'rules', ALERT_TESTS);
    expect({ status, output }).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') });
  });
});

describe('the alerts', () => {
  test('have a unit test each that fires and one that does not', () => {
    const tests: unknown = parse(readFileSync(ALERT_TESTS, 'utf8'));
    const cases = listAt(tests, 'tests').flatMap((group) =>
      listAt(group, 'alert_rule_test').map((one) => {
        const count = listAt(one, 'exp_alerts').length;
        return `${String(at(one, 'alertname'))} ${count > 0 ? 'fires' : 'does not fire'}`;
      }),
    );
    const wanted = alertRules().flatMap(({ of }) => [`${of} fires`, `${of} does not fire`]);
    expect(cases.toSorted()).toEqual(wanted.toSorted());
  });
});

describe('the monitoring of docker-compose.yml', () => {
  const services = at(read('docker-compose.yml'), 'services');

  test('scrapes the ports on which the API and the worker serve their metrics, with the token', () => {
    const jobs = listAt(read('deploy', 'prometheus', 'prometheus.yml'), 'scrape_configs');
    for (const [service, variable] of [
      ['api', 'PORT'],
      ['worker', 'WORKER_PORT'],
    ] as const) {
      const job = jobs.find((candidate) => at(candidate, 'job_name') === `parley-${service}`);
      expect(at(job, 'dns_sd_configs', 0)).toMatchObject({
        names: [service],
        port: Number(at(services, service, 'environment', variable)),
      });
      expect(at(job, 'authorization', 'credentials_file')).toBe('/run/secrets/metrics_token');
    }
    expect(at(services, 'prometheus', 'secrets')).toEqual(['metrics_token']);
  });

  test('provisions the data source that the dashboard names, and the folder that has the dashboard', () => {
    const source = at(read('deploy/grafana/provisioning/datasources/prometheus.yml'), 'datasources', 0);
    expect(source).toMatchObject({ uid: 'prometheus', url: 'http://prometheus:9090' });
    const text = readFileSync(DASHBOARD_FILE, 'utf8');
    const used = new Set(Array.from(text.matchAll(/"uid": "(\w+)"/g), ([, uid]) => uid));
    expect([...used].toSorted()).toEqual(['parley', 'prometheus']);
    const folder = at(
      read('deploy/grafana/provisioning/dashboards/parley.yml'),
      'providers',
      0,
      'options',
      'path',
    );
    const volumes = listAt(services, 'grafana', 'volumes').map(String);
    const mounted = volumes.find((volume) => volume.split(':')[1] === folder)?.split(':')[0] ?? '';
    expect(existsSync(join(PACKAGE_ROOT, mounted, 'parley.json'))).toBe(true);
  });

  test('has panels with titles and expressions, and ids and places of their own', () => {
    const panels = listAt(JSON.parse(readFileSync(DASHBOARD_FILE, 'utf8')), 'panels');
    expect(new Set(panels.map((panel) => at(panel, 'id'))).size).toBe(panels.length);
    const places = panels.map(
      (panel) => `${String(at(panel, 'gridPos', 'x'))},${String(at(panel, 'gridPos', 'y'))}`,
    );
    expect(new Set(places).size).toBe(panels.length);
    for (const { of, expression } of dashboardExpressions()) {
      expect(of).not.toBe('');
      expect({ of, expression }).toEqual({ of, expression: expect.stringContaining('$job') });
    }
  });
});
