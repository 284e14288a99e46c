import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { PACKAGE_ROOT } from '../../src/config/index.js';
import { at, listAt } from './client.js';

/** Files of the monitoring profile. */
export const PROMETHEUS_FILE = join(PACKAGE_ROOT, 'deploy', 'prometheus', 'prometheus.yml');
export const RULES_FILE = join(PACKAGE_ROOT, 'deploy', 'prometheus', 'rules', 'parley.yml');
export const DASHBOARD_FILE = join(PACKAGE_ROOT, 'deploy', 'grafana', 'dashboards', 'parley.json');

/** An expression with the panel or alert that it belongs to. */
export interface MonitoringExpression {
  readonly of: string;
  readonly expression: string;
}

/** Returns the rules of alerts. */
export function alertRules(): readonly MonitoringExpression[] {
  const file: unknown = parse(readFileSync(RULES_FILE, 'utf8'));
  return listAt(file, 'groups')
    .flatMap((group) => listAt(group, 'rules'))
    .map((rule) => ({ of: String(at(rule, 'alert')), expression: String(at(rule, 'expr')) }));
}

/** Returns the expressions of the panels and annotations, with the variables of the dashboard as Grafana writes them. */
export function dashboardExpressions(): readonly MonitoringExpression[] {
  const dashboard: unknown = JSON.parse(readFileSync(DASHBOARD_FILE, 'utf8'));
  const panels = listAt(dashboard, 'panels').filter((panel) => at(panel, 'type') !== 'row');
  return [
    ...panels.flatMap((panel) =>
      listAt(panel, 'targets').map((target) => ({
        of: String(at(panel, 'title')),
        expression: String(at(target, 'expr')),
      })),
    ),
    ...listAt(dashboard, 'annotations', 'list').map((annotation) => ({
      of: String(at(annotation, 'name')),
      expression: String(at(annotation, 'expr')),
    })),
  ];
}
