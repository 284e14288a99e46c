import { spawn } from 'node:child_process';
import { parse } from 'node:path';

/** The system user that a program runs as, where that is not the user of this process. */
export interface SystemAccount {
  name: string;
  uid: number;
  gid: number;
}

/** How a program ended, and everything that it wrote. */
export interface ProgramResult {
  /** The exit status; null where a signal ended it or it could not be started. */
  status: number | null;
  output: string;
}

/**
 * Runs a program to its end. Never rejects: a program that cannot be started has `status` null and the reason as
 * its output.
 *
 * It gets a session of its own, because Ctrl-C in our terminal must not reach it, and an environment of its own,
 * because `PGDATA`, `PGPORT` and their like would be obeyed.
 */
export function runProgram(
  program: string,
  programArguments: readonly string[],
  account?: SystemAccount,
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(program, programArguments, {
      // The one directory that every user can enter.
      cwd: parse(program).root || '/',
      env: { LC_ALL: 'C', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
      ...(account && { uid: account.uid, gid: account.gid }),
    });
    let output = '';
    const collect = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.once('error', (error) => {
      resolve({ status: null, output: error.message });
    });
    child.once('close', (status) => {
      resolve({ status, output: output.trim() });
    });
  });
}
