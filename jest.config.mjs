/** What every project shares; swc compiles as tsconfig.json does. */
const shared = {
  rootDir: import.meta.dirname,
  testEnvironment: '<rootDir>/test/support/jest/environment.mjs',
  runtime: '<rootDir>/test/support/jest/runtime.mjs',
  injectGlobals: false,
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'mjs', 'js', 'cjs', 'json', 'node'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.data/'],
  resolver: '<rootDir>/test/support/jest/resolver.cjs',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  transformIgnorePatterns: ['/node_modules/'],
};

const project = (displayName, testMatch) => ({ ...shared, displayName, testMatch });

/** @type {import('jest').Config} */
export default {
  rootDir: import.meta.dirname,
  projects: [
    project('unit', ['<rootDir>/src/**/*.spec.ts', '<rootDir>/test/support/**/*.spec.ts']),
    project('static', ['<rootDir>/test/static/**/*.spec.ts']),
    project('integration', ['<rootDir>/test/integration/**/*.spec.ts']),
    project('e2e', ['<rootDir>/test/e2e/**/*.spec.ts']),
  ],
  // Far more than a test takes: it fails for what it sees and not for the speed of the machine.
  testTimeout: 120_000,
  // One more than CI has cores, because slow files mostly wait. A single process would never give memory back.
  maxWorkers: 3,
  workerIdleMemoryLimit: '1GB',
  // Counts statements; v8 would count type declarations and comments as lines never run.
  coverageProvider: 'babel',
  coverageDirectory: 'coverage',
  coverageReporters: ['text-summary', 'json-summary'],
  // Of all projects together: a part of the tests, run with coverage, falls below it.
  coverageThreshold: { global: { lines: 90, branches: 90 } },
  collectCoverageFrom: ['src/**/*.ts', '!src/generated/**', '!src/**/*.spec.ts'],
};
