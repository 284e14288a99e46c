import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Folder of the build that is measured by default. */
export const DIST = join(dirname(import.meta.dirname), 'dist');

const JSON_TYPE = { 'content-type': 'application/json' };

/**
 * Returns settings that every measured server has. Processes that share a database need the same object, because it
 * has their secrets.
 */
export const makeSettings = () => ({
  PORT: '0',
  WORKER_PORT: '0',
  LOG_LEVEL: 'warn',
  AUTH_REGISTRATION: 'open',
  JWT_SECRET: randomBytes(32).toString('hex'),
  ENCRYPTION_KEY: randomBytes(32).toString('hex'),
  // Checked, but never reached.
  RATE_LIMIT_IP_RPM: '1000000',
  RATE_LIMIT_RPM: '1000000',
  RATE_LIMIT_MODEL_RPM: '1000000',
  RATE_LIMIT_TPM: '1000000000',
});

/**
 * Starts a process of the built server, as `npm start` does.
 * @param {import('./processes.mjs').Fleet} fleet
 * @param {object} options
 * @param {Record<string, string>} options.settings environment variables over those of {@link makeSettings}
 * @param {string} [options.script] `worker.js` for a worker
 * @param {string} [options.dist]
 * @param {string[]} [options.nodeOptions]
 */
export function startParley(fleet, { settings, script = 'main.js', dist = DIST, nodeOptions = [] }) {
  const program = join(dist, script);
  if (!existsSync(program)) throw new Error(`${program} is missing: node scripts/bootstrap.mjs build`);
  return fleet.start({
    name: script === 'main.js' ? 'The server' : 'The worker',
    arguments: ['--enable-source-maps', ...nodeOptions, program],
    environment: { ...makeSettings(), ...settings },
  });
}

/** Registers an account and returns its access token. @param {string} url of the server */
export async function registerAccount(url, email = `bench-${randomUUID()}@example.com`) {
  const response = await fetch(`${url}/api/v1/auth/register`, {
    method: 'POST',
    headers: JSON_TYPE,
    body: JSON.stringify({ email, password: randomBytes(16).toString('hex') }),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(`Registering answered ${response.status}: ${JSON.stringify(body)}`);
  return body.access_token;
}
