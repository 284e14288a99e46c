import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { PACKAGE_ROOT } from '../../src/config/index.js';
import { at, listAt } from './client.js';

export const COMPOSE_FILE = join(PACKAGE_ROOT, 'docker-compose.yml');

/** Every secret that docker-compose.yml requires; all are made up. */
export const COMPOSE_SECRETS = {
  POSTGRES_PASSWORD: 'p4Xr7Qz1Lm9Tb2Wk',
  REDIS_PASSWORD: 'r8Vn3Jd6Hs5Gf0Yc',
  JWT_SECRET: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
  ENCRYPTION_KEY: 'Vw2nQ7sLp9xRt4kBz8mYc1dHf6gJa3eTu5i0',
  METRICS_TOKEN: 'Tn4kQ8wZr2yXv6mBc5Hd9Jf3Lg7Pq1Rs',
  GRAFANA_ADMIN_PASSWORD: 'g5Ht9Bv2Nc7Mx4Zq',
};

/** Returns the services of a parsed Compose file by name. */
export function servicesOf(file: unknown): Map<string, unknown> {
  return new Map(Object.entries(Object(at(file, 'services')) as Record<string, unknown>));
}

/** Returns the services of docker-compose.yml as it writes them: anchors are resolved, variables are not. */
export function composeServices(): Map<string, unknown> {
  return servicesOf(parse(readFileSync(COMPOSE_FILE, 'utf8'), { merge: true }));
}

/** Returns one of the services. */
export function composeService(name: string): unknown {
  const found = composeServices().get(name);
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}.`);
  return found;
}

/** Returns the command of a service, with the secrets filled in. */
export function composeCommand(name: string): string[] {
  return listAt(composeService(name), 'command').map((word) => fillIn(String(word)));
}

/** Returns the environment of a service, with the secrets filled in; settings that are only passed on are left out. */
export function composeEnvironment(name: string): Record<string, string> {
  const entries = Object.entries(Object(at(composeService(name), 'environment')) as Record<string, unknown>);
  return Object.fromEntries(
    entries.flatMap(([variable, value]) => (typeof value === 'string' ? [[variable, fillIn(value)]] : [])),
  );
}

/** Fills in variables as Compose does, from the secrets alone: `${NAME:?message}` and `${NAME:-default}`. */
function fillIn(text: string): string {
  const secrets = new Map<string, string>(Object.entries(COMPOSE_SECRETS));
  return text.replaceAll(
    /\$\{(\w+)(?::?-([^}]*)|:\?[^}]*)?\}/g,
    (_all, name: string, fallback: string | undefined) => secrets.get(name) ?? fallback ?? '',
  );
}
