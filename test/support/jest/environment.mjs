import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';
import { restorePackages, saveProperties } from './saved-state.mjs';

/**
 * Globals that this project's modules and their decorators fill while a test file loads them. The next file
 * loads its own modules and starts with none; globals of packages remain, because packages are loaded once.
 */
const FILLED_BY_OUR_MODULES = ['__coverage__', 'classValidatorMetadataStorage'];

/**
 * The test environment: the realm of Node itself instead of a `vm` context for each file, so that packages
 * can be loaded once per process (see runtime.mjs). State that a context would isolate is restored after each
 * file: mocks, timers, environment variables, the working directory, settings of packages, and properties of the
 * realm that were replaced. Properties that were added remain, because packages add some while they load.
 */
export default class SharedRealmEnvironment {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  /** Jest's legacy fake timers, which are not used. */
  fakeTimers = null;
  fakeTimersModern;
  #folder = process.cwd();
  // Of `process` only functions, because its other properties change by themselves.
  #saved = [
    ...[globalThis, Date, Math, timers, timersPromises].map((object) => saveProperties(object)),
    saveProperties(process, (value) => typeof value === 'function'),
  ];
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
    // After these, because each of them puts back what the other one had installed before it.
    for (const restore of this.#saved) restore();
    restorePackages();
    for (const name of FILLED_BY_OUR_MODULES) Reflect.deleteProperty(globalThis, name);
    if (process.cwd() !== this.#folder) process.chdir(this.#folder);
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
