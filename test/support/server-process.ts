import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PACKAGE_ROOT } from '../../src/config/index.js';

/** The built server as a separate process, as an operator runs it. */
export interface ServerProcess {
  readonly child: ChildProcess;
  /** All output so far. */
  readonly output: string;
  /** Resolves with the URL when the server is ready; rejects with its output if it exits before. */
  readonly ready: Promise<string>;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Resolves when the server has printed a matching line. */
  printed(pattern: RegExp): Promise<string>;
  /** Sends a signal and waits for the exit. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** Directory of Node's compile cache: `NODE_COMPILE_CACHE` of processes that tests start. */
export const COMPILE_CACHE = join(tmpdir(), 'node-compile-cache');

/** Starts `dist/main.js`, or another script of dist, with only these variables and the system's own. */
export function startServer(
  environment: Readonly<Record<string, string>>,
  script = 'main.js',
  /** True to start it as npm starts a script: through a shell, which receives the signals. */
  asNpmDoes = false,
): ServerProcess {
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  const command = [process.execPath, '--enable-source-maps', join(PACKAGE_ROOT, 'dist', script)];
  const [program = '', ...parameters] = asNpmDoes
    ? ['sh', '-c', `"$@" --stop-with-parent; exit $?`, 'sh', ...command]
    : command;
  const child = spawn(program, parameters, {
    // Not the checkout, because a developer may have an .env file there.
    cwd: environment['DATA_DIR'] ?? PACKAGE_ROOT,
    env: {
      PATH,
      HOME,
      ...(TMPDIR !== undefined && { TMPDIR }),
      // Saves half a second of CPU time for each start after the first.
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      PORT: '0',
      WORKER_PORT: '0',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      wake();
    });
  }
  const exited = once(child, 'close').then(([code, signal]: unknown[]) => {
    wake();
    return typeof code === 'number' ? code : (signal as NodeJS.Signals);
  });
  const printed = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = lines.find((candidate) => pattern.test(candidate));
        const ended = child.exitCode !== null || child.signalCode !== null;
        if (line === undefined && !ended) return;
        waiting.delete(look);
        if (line !== undefined) resolve(line);
        else reject(new Error(`The server ended before it printed ${pattern.source}:\n${lines.join('\n')}`));
      };
      waiting.add(look);
      look();
    });
  const ready = printed(/^ {2}API\s/).then((line) => line.replace(/^\s*API\s+/, ''));
  // Callers that await it get the rejection; a test that expects the exit does not await the URL.
  ready.catch(() => undefined);
  return {
    child,
    get output() {
      return lines.join('\n');
    },
    ready,
    exited,
    printed,
    end: (signal) => {
      child.kill(signal);
      return exited;
    },
  };
}
