import { spawn } from 'node:child_process';
import { parse } from 'node:path';

/** System user that a program runs as, if it is not the user of this process. */
export interface SystemAccount {
  name: string;
  uid: number;
  gid: number;
}

/** Result of a program: its exit status and all of its output. */
export interface ProgramResult {
  /** Exit status; null if a signal ended the program or it could not be started. */
  status: number | null;
  output: string;
}

/**
 * Runs a program until it exits. Never rejects: if a program cannot be started, `status` is null and `output` is the
 * reason.
 *
 * It gets its own session, because Ctrl-C in our terminal must not reach it, and its own environment, because it
 * would obey variables like `PGDATA` and `PGPORT`.
 */
export function runProgram(
  program: string,
  programArguments: readonly string[],
  account?: SystemAccount,
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(program, programArguments, {
      // The only directory that every user can access.
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
