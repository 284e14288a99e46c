// Nest is ESM and is also required by CommonJS packages. Loading it here first keeps jest from meeting it half
// loaded ("Cannot require() ES Module … in a cycle").
await import('@nestjs/common');
await import('@nestjs/core');

// Jest runs tests in a realm of their own, and Node's core throws errors of the outer one, which are not `instanceof`
// the inner `Error`. In production there is one realm; here `instanceof Error` has to see both.
const ordinary = Function.prototype[Symbol.hasInstance];
Object.defineProperty(Error, Symbol.hasInstance, {
  value(value) {
    return ordinary.call(this, value) || (this === Error && Error.isError(value));
  },
});
