import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

/**
 * Globals that this project's modules and their decorators fill while a test file loads them. The next file
 * loads its own modules and starts with none; globals of packages remain, because packages are loaded once.
 */
const FILLED_BY_OUR_MODULES = ['__coverage__', 'classValidatorMetadataStorage'];

/**
 * The test environment: the realm of Node itself instead of a `vm` context for each file, so that packages
 * can be loaded once per process (see runtime.mjs). State that a context would isolate is restored after each
 * file: mocks, timers, environment variables, and functions that Jest replaces.
 */
export default class SharedRealmEnvironment {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  /** Jest's legacy fake timers, which are not used. */
  fakeTimers = null;
  fakeTimersModern;
  #console = globalThis.console;
  #exit = process.exit;
  #variables = { ...process.env };

  constructor({ projectConfig }) {
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  setup() {
    return Promise.resolve();
  }

  teardown() {
    this.fakeTimersModern.dispose();
    this.moduleMocker.restoreAllMocks();
    for (const name of FILLED_BY_OUR_MODULES) Reflect.deleteProperty(globalThis, name);
    globalThis.console = this.#console;
    process.exit = this.#exit;
    for (const name of Object.keys(process.env)) {
      if (!(name in this.#variables)) Reflect.deleteProperty(process.env, name);
    }
    Object.assign(process.env, this.#variables);
    return Promise.resolve();
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  /** Jest only checks that there is a context: runtime.mjs compiles for the common realm. */
  getVmContext() {
    return globalThis;
  }
}
