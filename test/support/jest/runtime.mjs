/*
 * Jest's module loader, except for packages: Node loads them, once per process, as in production. Jest would
 * load some 3,500 modules of packages anew for each file that starts the API, which took most of the time of
 * a test run. Jest still loads this project's own modules, anew for each file and instrumented for coverage.
 * See docs/adr/0028-packages-load-once.md.
 *
 * It replaces methods of Jest that are not public. If a new version of Jest changes them, every test fails at
 * once.
 */
import { createRequire } from 'node:module';
import { compileFunction, SyntheticModule } from 'node:vm';
import Runtime from 'jest-runtime';
import { savePackage } from './saved-state.mjs';

const require = createRequire(import.meta.url);

/** Files, Node's own modules, and specifiers for the package itself. */
const NO_PACKAGE = /^(?:\.|\/|node:|data:|#|@jest\/globals$)/;

const LOADED_BY_JEST = new Set([
  // Stores the logger of the first application of a process, but every file starts its own applications.
  'nestjs-pino',
  // Has one engine per process, which schema-engine.ts starts, and that module is new in every file.
  '@prisma/schema-engine-wasm/schema_engine_bg',
  // Has a top-level await, which `require` refuses.
  'dependency-cruiser',
]);

export default class SharedPackagesRuntime extends Runtime {
  constructor(...parameters) {
    super(...parameters);
    const { esmLoader, executor, registries, _resolution: resolution } = this;
    const isPackage = (specifier) =>
      !NO_PACKAGE.test(specifier) && !LOADED_BY_JEST.has(specifier) && !resolution.isCoreModule(specifier);

    // Without a context, code is compiled for the current realm.
    esmLoader.getContext = () => undefined;
    executor.compile = (source, filename) =>
      compileFunction(source, executor.injectedModuleParameters, { filename });

    // Handles `import` at the top of a module …
    const resolveInGraph = esmLoader.resolveSpecifierForSyncGraph.bind(esmLoader);
    esmLoader.resolveSpecifierForSyncGraph = (from, specifier, context, scratch, registry, ...rest) => {
      if (!isPackage(specifier)) return resolveInGraph(from, specifier, context, scratch, registry, ...rest);
      const path = resolution.resolveEsm(from, specifier);
      esmLoader.tryCommitSynthetic(path, registry, scratch, () => packageModule(path, specifier));
      return { cacheKey: path, enqueue: null, modulePath: path };
    };

    // … `import()`, and modules with a top-level await.
    const resolveModule = esmLoader.resolveModule.bind(esmLoader);
    esmLoader.resolveModule = (specifier, from, context) => {
      if (!isPackage(specifier)) return resolveModule(specifier, from, context);
      const path = resolution.resolveEsm(from, specifier);
      const registry = registries.getActiveEsmRegistry();
      if (!registry.has(path)) registry.set(path, packageModule(path, specifier));
      return Promise.resolve(registry.get(path));
    };
  }

  /** Jest would replace this method of the file's own `process`, but here there is only one `process`. */
  installGetBuiltinModule() {}
}

/**
 * Creates a module that exports the same names as the package in Node, with the whole of a CommonJS module as
 * the default export.
 */
function packageModule(path, specifier) {
  const loaded = require(path);
  savePackage(specifier, loaded);
  const isEsm = Object.prototype.toString.call(loaded) === '[object Module]';
  const exported = new Map(Object.entries(loaded));
  // Added by `require` to mark a default export.
  exported.delete('__esModule');
  if (!isEsm) exported.set('default', loaded);
  return new SyntheticModule(
    [...exported.keys()],
    function () {
      for (const [name, value] of exported) this.setExport(name, value);
    },
    { identifier: path },
  );
}
