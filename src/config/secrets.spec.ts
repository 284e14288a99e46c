import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readOrCreateSecret } from './secrets.js';

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'parley-secrets-'));
});

afterEach(() => {
  rmSync(dataDir, { recursive: true });
});

/** Returns the secret as each of several processes reads it that start at the same moment. */
async function inProcesses(count: number): Promise<string[]> {
  const module = pathToFileURL(join(import.meta.dirname, 'secrets.ts')).href;
  const script = `import { readOrCreateSecret } from ${JSON.stringify(module)};
    process.stderr.write('ready');
    process.stdin.resume().once('end', () => {
      process.stdout.write(readOrCreateSecret(${JSON.stringify(dataDir)}, 'jwt'));
    });`;
  // Node runs this TypeScript without a build, because it strips the types.
  const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
  const children = Array.from({ length: count }, () => spawn(process.execPath, options));
  await Promise.all(children.map((child) => once(child.stderr, 'data')));
  for (const child of children) child.stdin.end();
  return Promise.all(children.map((child) => text(child.stdout)));
}

describe('readOrCreateSecret', () => {
  test('generates a long random secret only once', () => {
    const secret = readOrCreateSecret(dataDir, 'jwt');
    expect(secret).toMatch(/^[\w-]{64}$/);
    expect(readOrCreateSecret(dataDir, 'jwt')).toBe(secret);
    expect(readOrCreateSecret(dataDir, 'other')).not.toBe(secret);
    expect(readFileSync(join(dataDir, 'secrets', 'jwt'), 'utf8')).toBe(secret);
  });

  test('creates a file that only its owner may read', () => {
    readOrCreateSecret(dataDir, 'jwt');
    expect(statSync(join(dataDir, 'secrets', 'jwt')).mode & 0o777).toBe(0o600);
    expect(statSync(join(dataDir, 'secrets')).mode & 0o777).toBe(0o700);
  });

  test('creates missing folders and leaves no temporary file', () => {
    const nested = join(dataDir, 'a', 'b');
    const secret = readOrCreateSecret(nested, 'jwt');
    expect(readdirSync(join(nested, 'secrets'))).toEqual(['jwt']);
    expect(readOrCreateSecret(nested, 'jwt')).toBe(secret);
  });

  test('returns the same secret to processes that start together', async () => {
    const secrets = await inProcesses(8);
    expect(secrets[0]).toMatch(/^[\w-]{64}$/);
    expect(new Set(secrets).size).toBe(1);
    expect(readdirSync(join(dataDir, 'secrets'))).toEqual(['jwt']);
  });

  test('throws if the secret cannot be stored', () => {
    const file = join(dataDir, 'file');
    writeFileSync(file, '');
    expect(() => readOrCreateSecret(file, 'jwt')).toThrow(/ENOTDIR|EEXIST/);
  });

  test('throws instead of hanging if folders cannot be created at that path', () => {
    expect(() => readOrCreateSecret('/proc/parley/data', 'jwt')).toThrow();
  });
});
