import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PACKAGE_ROOT } from '../../src/config/index.js';

/** The result of a script. */
export interface ScriptResult {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** A copy of some files of the project, whose scripts find stubs instead of programs that cannot run here. */
export class StubbedProject {
  private constructor(readonly folder: string) {}

  /** Copies files and folders of the project, named by their paths in it. */
  static async create(...paths: readonly string[]): Promise<StubbedProject> {
    const folder = await mkdtemp(join(tmpdir(), 'parley-stub-'));
    for (const path of paths) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await cp(join(PACKAGE_ROOT, path), join(folder, path), { recursive: true });
    }
    await mkdir(join(folder, 'bin'));
    await mkdir(join(folder, 'state'));
    return new StubbedProject(folder);
  }

  /**
   * Writes a program as a shell script. It finds the folder of {@link setState} in `$STATE`, and all its calls are
   * recorded.
   */
  async stub(name: string, script: string): Promise<void> {
    const path = join(this.folder, 'bin', name);
    await writeFile(path, `#!/bin/sh\necho "${name} $*" >>"$STATE/calls"\n${script}\n`);
    await chmod(path, 0o755);
  }

  /** Creates a file that stubs read. */
  async setState(name: string, content = ''): Promise<void> {
    await writeFile(join(this.folder, 'state', name), content);
  }

  /** Returns the calls of stubs since the last time, one line each. */
  async takeCalls(): Promise<string[]> {
    const file = join(this.folder, 'state', 'calls');
    const calls = await readFile(file, 'utf8').catch(() => '');
    await rm(file, { force: true });
    return calls.split('\n').filter((call) => call !== '');
  }

  /** Runs a script of the project, with only these variables and the system's own. */
  run(
    script: string,
    parameters: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ScriptResult> {
    // From elsewhere, because a script must find its own folder.
    return this.#start(join(this.folder, script), parameters, tmpdir(), environment);
  }

  /** Runs commands in one shell, in the folder of the project, until one fails. */
  shell(
    commands: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ScriptResult> {
    const script = ['set -euo pipefail', ...commands].join('\n');
    return this.#start('bash', ['-c', script], this.folder, environment);
  }

  async #start(
    program: string,
    parameters: readonly string[],
    cwd: string,
    environment: Readonly<Record<string, string>>,
  ): Promise<ScriptResult> {
    const { PATH = '', HOME = '' } = process.env;
    const stubs = { PATH: `${join(this.folder, 'bin')}:${PATH}`, HOME, STATE: join(this.folder, 'state') };
    const child = spawn(program, parameters, {
      cwd,
      env: { ...stubs, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    return { code: child.exitCode, output, errors };
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
