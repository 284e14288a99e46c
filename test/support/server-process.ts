import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PACKAGE_ROOT } from '../../src/config/index.js';

/** The built server as a process of its own, as an operator runs it. */
export interface ServerProcess {
  readonly child: ChildProcess;
  /** Everything it printed so far. */
  readonly output: string;
  /** Resolves with the URL when it is ready; rejects with its output where it ends before. */
  readonly ready: Promise<string>;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Resolves when it has printed a line that matches. */
  printed(pattern: RegExp): Promise<string>;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** Folder of Node's compile cache: `NODE_COMPILE_CACHE` of processes that tests start. */
export const COMPILE_CACHE = join(tmpdir(), 'node-compile-cache');

/** Starts `dist/main.js`, or another script of dist, with nothing but these variables and the system's own. */
export function startServer(
  environment: Readonly<Record<string, string>>,
  script = 'main.js',
  /** Whether it is started as npm starts a script: through a shell, which is what signals then reach. */
  asNpmDoes = false,
): ServerProcess {
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  const command = [process.execPath, '--enable-source-maps', join(PACKAGE_ROOT, 'dist', script)];
  const [program = '', ...parameters] = asNpmDoes
    ? ['sh', '-c', `"$@" --stop-with-parent; exit $?`, 'sh', ...command]
    : command;
  const child = spawn(program, parameters, {
    // Not the checkout, whose .env a developer may have filled.
    cwd: environment['DATA_DIR'] ?? PACKAGE_ROOT,
    env: {
      PATH,
      HOME,
      ...(TMPDIR !== undefined && { TMPDIR }),
      // Half a second less of CPU time for each start but the first.
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      PORT: '0',
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
  // Whoever waits gets the rejection; a test that expects the end does not wait for the address.
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
