import { randomBytes } from 'node:crypto';
import { link, readFile, readlink, realpath, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from './run-program.js';

/** Content of `postmaster.pid`. */
export interface PostmasterFile {
  processId: number;
  /** Undefined in the first moments of a start. */
  port: number | undefined;
}

/**
 * State of the server of a cluster:
 * - `absent`: there is no server, so one can be started;
 * - `running`: a server of this cluster exists, but may not respond yet;
 * - `unknown`: a process has that id, and this platform cannot tell whether it is the server; PostgreSQL itself will.
 */
export type PostmasterState =
  { state: 'absent' } | { state: 'running' | 'unknown'; processId: number; port: number | undefined };

const pidFileOf = (dataDirectory: string): string => join(dataDirectory, 'postmaster.pid');

/** Parses the file: process id, data directory, start time and port, one per line. */
function parsePostmasterFile(text: string): PostmasterFile | undefined {
  // The process id is negative in single-user mode.
  const processId = Math.abs(Number.parseInt(text, 10));
  const port = Number.parseInt(text.split('\n')[3] ?? '', 10);
  return processId > 0 ? { processId, port: port > 0 ? port : undefined } : undefined;
}

function processExists(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Returns true if the process is a PostgreSQL server of this cluster; undefined if the platform cannot tell. */
async function isServerOf(dataDirectory: string, processId: number): Promise<boolean | undefined> {
  if (process.platform === 'linux') {
    // A server's working directory is its data directory. The link is unreadable for another user's process, missing
    // for a zombie.
    const workingDirectory = await readlink(`/proc/${processId}/cwd`).catch(() => undefined);
    return workingDirectory !== undefined && workingDirectory === (await realpath(dataDirectory));
  }
  if (process.platform === 'win32') return undefined;
  const { status, output } = await runProgram('ps', ['-o', 'comm=', '-p', String(processId)]);
  return status === 0 ? output.includes('postgres') : false;
}

/**
 * Removes a `postmaster.pid` whose process id now belongs to another program, because PostgreSQL would refuse to
 * start. Renames the file first and reads it again: if a server has just written a new one, it is put back.
 */
async function removeStaleFile(pidFile: string, staleText: string): Promise<void> {
  const aside = `${pidFile}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(pidFile, aside);
    if ((await readFile(aside, 'utf8')) !== staleText) await link(aside, pidFile).catch(() => undefined);
  } catch {
    // Another process was faster; the caller checks again.
  }
  await unlink(aside).catch(() => undefined);
}

/** Finds the server of a cluster, and removes what a dead one left that would prevent the next start. */
export async function findPostmaster(dataDirectory: string): Promise<PostmasterState> {
  const pidFile = pidFileOf(dataDirectory);
  const text = await readFile(pidFile, 'utf8').catch(() => undefined);
  const found = text === undefined ? undefined : parsePostmasterFile(text);
  // An empty file belongs to a server in its first moments; PostgreSQL handles it, and dead process ids too.
  if (text === undefined || !found || !processExists(found.processId)) return { state: 'absent' };

  switch (await isServerOf(dataDirectory, found.processId)) {
    case true:
      return { state: 'running', ...found };
    case undefined:
      return { state: 'unknown', ...found };
    case false:
      await removeStaleFile(pidFile, text);
      return { state: 'absent' };
  }
}
