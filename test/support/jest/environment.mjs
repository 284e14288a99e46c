import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

/**
 * Globals that our modules and their decorators fill while a file of tests loads them. The next file loads its own
 * modules and starts with none; what packages keep in globals stays, because they are loaded once.
 */
const FILLED_BY_OUR_MODULES = ['__coverage__', 'classValidatorMetadataStorage'];

/**
 * The environment of tests: the realm of Node itself instead of a `vm` context for each file, so that packages can be
 * loaded once a process (see runtime.mjs). What a context would keep apart is put back after each file: mocks, timers,
 * environment variables, and what Jest replaces.
 */
export default class SharedRealmEnvironment {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  /** Those that Jest calls legacy; nobody uses them. */
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

  /** Jest only asks whether there is one: runtime.mjs compiles for the realm that everything is in. */
  getVmContext() {
    return globalThis;
  }
}
