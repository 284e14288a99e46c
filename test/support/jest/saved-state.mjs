/**
 * Saves the properties of an object, including those that are not enumerable.
 * @param {(value: unknown) => boolean} isSaved selects properties by their values
 * @returns {() => void} a function that restores the properties that were replaced or deleted; others that were added
 *   remain
 */
export function saveProperties(object, isSaved = () => true) {
  const saved = Reflect.ownKeys(object)
    .map((name) => [name, Object.getOwnPropertyDescriptor(object, name)])
    .filter(([, { configurable, writable, value }]) => (configurable || writable) && isSaved(value));
  return () => {
    for (const [name, descriptor] of saved) {
      const current = Object.getOwnPropertyDescriptor(object, name);
      const isSame =
        current !== undefined &&
        ['value', 'get', 'set'].every((part) => Object.is(current[part], descriptor[part]));
      if (!isSame) Object.defineProperty(object, name, descriptor);
    }
  };
}

/**
 * For each package with settings of its own that our modules or tests change: saves them when it is loaded, and
 * returns a function that restores them.
 */
const SETTINGS = {
  '@nestjs/common': ({ Logger }) => saveProperties(Logger),
  '@nestjs/bullmq': ({ BullModule }) => {
    const { _queueClass: queueClass, _workerClass: workerClass } = BullModule;
    // Setters, because a copy of the worker's class is elsewhere.
    return () => Object.assign(BullModule, { queueClass, workerClass });
  },
  bullmq:
    ({ setDefaultBackendFactory }) =>
    () =>
      setDefaultBackendFactory(),
};

const restoreByPackage = new Map();

/** Saves the settings of a package, if it has any, when it is imported for the first time. */
export function savePackage(name, exported) {
  if (Object.hasOwn(SETTINGS, name) && !restoreByPackage.has(name))
    restoreByPackage.set(name, SETTINGS[name](exported));
}

/** Restores the settings of all packages. */
export function restorePackages() {
  for (const restore of restoreByPackage.values()) restore();
}
