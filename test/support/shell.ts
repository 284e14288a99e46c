import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** Printed after each run; no example prints it. */
const END = '---end of the run---';

/**
 * A bash that keeps its variables and functions from one run to the next, as a reader's terminal does. Every failing
 * command fails the run, a `curl` that gets an error status among them.
 */
export class Shell {
  private output = '';
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly exited: Promise<unknown>;

  /**
   * @param folder working folder
   * @param environment all variables of the environment besides `PATH`
   */
  constructor(folder: string, environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn('bash', ['-s'], {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder, ...environment },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.exited = once(this.child, 'close');
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.child.stdin.write(
      'exec 2>&1\nset -eo pipefail\ncurl() { command curl --fail-with-body --show-error "$@"; }\n',
    );
  }

  /**
   * Runs commands and returns what they print.
   * @throws Error with the output if one of them fails
   */
  async run(commands: string): Promise<string> {
    this.output = '';
    this.child.stdin.write(`${commands}\necho; echo '${END}'\n`);
    while (!this.output.includes(END)) {
      const isOver = await Promise.race([
        once(this.child.stdout, 'data').then(() => false),
        this.exited.then(() => true),
      ]);
      if (isOver && !this.output.includes(END)) throw new Error(`${commands}\nfailed:\n${this.output}`);
    }
    return this.output.slice(0, this.output.indexOf(END));
  }

  async close(): Promise<void> {
    this.child.stdin.end();
    await this.exited;
  }
}
