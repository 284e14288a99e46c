import { describe, expect, test } from '@jest/globals';
import { toLoggedError } from './logged-error.js';

class DatabaseError extends Error {
  readonly code = 'P2002';
  readonly meta = { value: 'the secret' };
}

class ProviderFailure extends Error {
  readonly kind = 'rate_limited';
  readonly status = 429;
  readonly headers = { authorization: 'the secret' };
}

describe('an error in the log', () => {
  test('of the engine keeps its message', () => {
    for (const error of [new Error('what'), new TypeError('what'), new RangeError('what')]) {
      expect(toLoggedError(error)).toEqual({
        name: error.name,
        message: 'what',
        stack: expect.stringMatching(/^\s+at /),
      });
    }
  });

  test('of a library keeps class, codes and place, not its message and its properties', () => {
    const logged = toLoggedError(new DatabaseError('Unique constraint on "the secret"'));
    expect(logged).toEqual({ name: 'DatabaseError', code: 'P2002', stack: expect.stringMatching(/^\s+at /) });
    expect(toLoggedError(new ProviderFailure('the secret'))).toEqual({
      name: 'ProviderFailure',
      kind: 'rate_limited',
      status: 429,
      stack: expect.any(String),
    });
  });

  test('has no message in its stack either, however many lines that has', () => {
    const error = new DatabaseError('the secret\n  the secret at 5\nat the secret');
    expect(error.stack).toContain('the secret');
    const { stack } = toLoggedError(error);
    expect(stack).not.toContain('the secret');
    expect(stack).toContain('logged-error.spec');
  });

  test('tells its causes, to a depth', () => {
    let error = new Error('bottom');
    for (let depth = 0; depth < 9; depth += 1) error = new Error('above', { cause: error });
    let logged = toLoggedError(error);
    let depth = 0;
    for (; logged.cause !== undefined; depth += 1) logged = logged.cause;
    expect(depth).toBe(4);
  });

  test('that is its own cause comes to an end', () => {
    const error = new Error('round');
    error.cause = error;
    expect(JSON.stringify(toLoggedError(error))).toContain('round');
  });

  test('a cause of a library is treated like any', () => {
    const logged = toLoggedError(new Error('what', { cause: new DatabaseError('the secret') }));
    expect(logged.cause).toMatchObject({ name: 'DatabaseError', code: 'P2002' });
    expect(JSON.stringify(logged)).not.toContain('the secret');
  });

  test.each([
    ['the secret', 'string'],
    [{ secret: 'the secret' }, 'object'],
    [undefined, 'undefined'],
    [null, 'object'],
  ])('that is none, as %p, is only named by its type', (thrown, name) => {
    expect(toLoggedError(thrown)).toEqual({ name });
  });
});
