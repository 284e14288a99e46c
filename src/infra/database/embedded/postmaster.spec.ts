import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findPostmaster } from './postmaster.js';

let directory: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'parley-postmaster-')));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

const pidFile = (): string => join(directory, 'postmaster.pid');
const write = (processId: number | string, port: number | string = ''): void => {
  writeFileSync(pidFile(), `${processId}\n${directory}\n1700000000\n${port}\n`);
};

/** Returns the process id of a process that has ended. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--eval', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

/** Runs the work while a process exists whose working directory is that of a server of the cluster. */
async function withServer(work: (processId: number) => Promise<void>): Promise<void> {
  const child = spawn('sleep', ['60'], { cwd: directory });
  await once(child, 'spawn');
  const ended = once(child, 'exit');
  try {
    await work(child.pid ?? 0);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

describe('findPostmaster', () => {
  it.each([
    ['if there is no PID file', undefined],
    ['if the PID file is empty, as in the first moments of a start', ''],
    ['if the PID file contains no number', 'none\n'],
  ])('reports no server %s', async (_what, text) => {
    if (text !== undefined) writeFileSync(pidFile(), text);
    expect(await findPostmaster(directory)).toEqual({ state: 'absent' });
    expect(existsSync(pidFile())).toBe(text !== undefined);
  });

  it('reports no server if its process has ended, and leaves the PID file for PostgreSQL to remove', async () => {
    write(await deadProcess(), 5432);
    expect(await findPostmaster(directory)).toEqual({ state: 'absent' });
    expect(existsSync(pidFile())).toBe(true);
  });

  it('reports no server and removes the PID file if the process id belongs to another program', async () => {
    write(process.pid, 5432);
    expect(await findPostmaster(directory)).toEqual({ state: 'absent' });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('reports a running server if the working directory of its process is the data directory', async () => {
    await withServer(async (processId) => {
      write(processId, 5432);
      expect(await findPostmaster(directory)).toEqual({ state: 'running', processId, port: 5432 });
      writeFileSync(pidFile(), `-${processId}\n`);
      expect(await findPostmaster(directory)).toEqual({ state: 'running', processId, port: undefined });
    });
  });
});
