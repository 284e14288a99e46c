/*
 * Jest's module loader, but for packages: Node loads them, once a process, as in production. Jest would load some
 * 3,500 modules of packages anew for each file that starts the API, which took most of the time of a test run. Our own
 * modules are Jest's, new for each file and instrumented for coverage. See docs/adr/0028-packages-load-once.md.
 *
 * It replaces methods of Jest that are not public. Where a new version of Jest moves them, every test fails at once.
 */
import { createRequire } from 'node:module';
import { compileFunction, SyntheticModule } from 'node:vm';
import Runtime from 'jest-runtime';

const require = createRequire(import.meta.url);

/** Files, parts of Node, and what stands for the file itself. */
const NO_PACKAGE = /^(?:\.|\/|node:|data:|#|@jest\/globals$)/;

const LOADED_BY_JEST = new Set([
  // Keeps the logger of the first application of a process, and every file starts applications of its own.
  'nestjs-pino',
  // Has one engine a process, which schema-engine.ts starts, and that module is new in every file.
  '@prisma/schema-engine-wasm/schema_engine_bg',
  // Awaits at its top level, which `require` refuses.
  'dependency-cruiser',
]);

export default class SharedPackagesRuntime extends Runtime {
  constructor(...parameters) {
    super(...parameters);
    const { esmLoader, executor, registries, _resolution: resolution } = this;
    const isPackage = (specifier) =>
      !NO_PACKAGE.test(specifier) && !LOADED_BY_JEST.has(specifier) && !resolution.isCoreModule(specifier);

    // No context means the realm that the code runs in.
    esmLoader.getContext = () => undefined;
    executor.compile = (source, filename) =>
      compileFunction(source, executor.injectedModuleParameters, { filename });

    // For `import` at the top of a module …
    const resolveInGraph = esmLoader.resolveSpecifierForSyncGraph.bind(esmLoader);
    esmLoader.resolveSpecifierForSyncGraph = (from, specifier, context, scratch, registry, ...rest) => {
      if (!isPackage(specifier)) return resolveInGraph(from, specifier, context, scratch, registry, ...rest);
      const path = resolution.resolveEsm(from, specifier);
      esmLoader.tryCommitSynthetic(path, registry, scratch, () => packageModule(path));
      return { cacheKey: path, enqueue: null, modulePath: path };
    };

    // … for `import()`, and for modules that await at their top level.
    const resolveModule = esmLoader.resolveModule.bind(esmLoader);
    esmLoader.resolveModule = (specifier, from, context) => {
      if (!isPackage(specifier)) return resolveModule(specifier, from, context);
      const path = resolution.resolveEsm(from, specifier);
      const registry = registries.getActiveEsmRegistry();
      if (!registry.has(path)) registry.set(path, packageModule(path));
      return Promise.resolve(registry.get(path));
    };
  }

  /** Jest would replace this method of the `process` of a file's own, and here there is one `process`. */
  installGetBuiltinModule() {}
}

/** A module that exports what Node exports from the package: all names, and of CommonJS the whole as the default. */
function packageModule(path) {
  const loaded = require(path);
  const isEsm = Object.prototype.toString.call(loaded) === '[object Module]';
  const exported = new Map(Object.entries(loaded));
  // What `require` adds to say that there is a default export.
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
