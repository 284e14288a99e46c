import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../src/config/index.js';

/** Delay before a shutdown in production, in seconds, while proxies stop sending requests. */
const SHUTDOWN_DELAY_S = 5;

/**
 * Returns how long a process may take to stop in production, in seconds: the delay and the drain. Reads the drain from
 * the source, because nothing but the files of a deployment needs it elsewhere.
 */
export function shutdownSeconds(): number {
  const source = readFileSync(join(PACKAGE_ROOT, 'src', 'app', 'process-lifecycle.ts'), 'utf8');
  const drain = /^(?:export )?const SHUTDOWN_MS = ([\d_]+);$/m.exec(source)?.[1]?.replaceAll('_', '');
  if (drain === undefined) throw new Error('src/app/process-lifecycle.ts has no SHUTDOWN_MS.');
  return SHUTDOWN_DELAY_S + Number(drain) / 1000;
}
