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

/** The number of a process that has ended. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--eval', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

/** Does the work while a process runs that has its working directory where a server of the cluster has it. */
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

describe('the server of a cluster', () => {
  it.each([
    ['without its file', undefined],
    ['if its file is empty, as in the first moments of a start', ''],
    ['if its file holds no number', 'none\n'],
  ])('is absent %s', async (_what, text) => {
    if (text !== undefined) writeFileSync(pidFile(), text);
    expect(await findPostmaster(directory)).toEqual({ state: 'absent' });
    expect(existsSync(pidFile())).toBe(text !== undefined);
  });

  it('is absent if its process has ended; PostgreSQL itself removes such a file', async () => {
    write(await deadProcess(), 5432);
    expect(await findPostmaster(directory)).toEqual({ state: 'absent' });
    expect(existsSync(pidFile())).toBe(true);
  });

  it('is absent if its number belongs to another process, and its file is out of the way', async () => {
    write(process.pid, 5432);
    expect(await findPostmaster(directory)).toEqual({ state: 'absent' });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('runs if its process works in the directory of the cluster', async () => {
    await withServer(async (processId) => {
      write(processId, 5432);
      expect(await findPostmaster(directory)).toEqual({ state: 'running', processId, port: 5432 });
      writeFileSync(pidFile(), `-${processId}\n`);
      expect(await findPostmaster(directory)).toEqual({ state: 'running', processId, port: undefined });
    });
  });
});
