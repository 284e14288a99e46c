import { randomBytes } from 'node:crypto';
import { link, readFile, readlink, realpath, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from './run-program.js';

/** What PostgreSQL wrote into `postmaster.pid`. */
export interface PostmasterFile {
  processId: number;
  /** Missing for the first moments of a start. */
  port: number | undefined;
}

/**
 * - `absent`: no server, a start may follow;
 * - `running`: a server of this cluster, perhaps not answering yet;
 * - `unknown`: some process has that number, and this platform cannot tell which; PostgreSQL itself will.
 */
export type PostmasterState =
  { state: 'absent' } | { state: 'running' | 'unknown'; processId: number; port: number | undefined };

const pidFileOf = (dataDirectory: string): string => join(dataDirectory, 'postmaster.pid');

/** Process number, data directory, start time, port: one a line. */
function parsePostmasterFile(text: string): PostmasterFile | undefined {
  // Negative in single-user mode.
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

/** Whether the process is a PostgreSQL server of this cluster; undefined where the platform does not tell. */
async function isServerOf(dataDirectory: string, processId: number): Promise<boolean | undefined> {
  if (process.platform === 'linux') {
    // A server's working directory is its data directory. Not readable: another user's; not there: a zombie.
    const workingDirectory = await readlink(`/proc/${processId}/cwd`).catch(() => undefined);
    return workingDirectory !== undefined && workingDirectory === (await realpath(dataDirectory));
  }
  if (process.platform === 'win32') return undefined;
  const { status, output } = await runProgram('ps', ['-o', 'comm=', '-p', String(processId)]);
  return status === 0 ? output.includes('postgres') : false;
}

/**
 * Removes a `postmaster.pid` whose process is something else by now, because PostgreSQL would refuse to start. It is
 * taken away under another name and looked at again: a server that has just written a new one gets that one back.
 */
async function removeStaleFile(pidFile: string, staleText: string): Promise<void> {
  const aside = `${pidFile}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(pidFile, aside);
    if ((await readFile(aside, 'utf8')) !== staleText) await link(aside, pidFile).catch(() => undefined);
  } catch {
    // Another process was faster; the caller looks again.
  }
  await unlink(aside).catch(() => undefined);
}

/** Looks for the server of a cluster, and clears away what a dead one left in the way of the next start. */
export async function findPostmaster(dataDirectory: string): Promise<PostmasterState> {
  const pidFile = pidFileOf(dataDirectory);
  const text = await readFile(pidFile, 'utf8').catch(() => undefined);
  const found = text === undefined ? undefined : parsePostmasterFile(text);
  // An empty file is that of a server in its first moments; PostgreSQL deals with it, and with dead numbers.
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
