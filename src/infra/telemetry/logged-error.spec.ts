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

describe('toLoggedError', () => {
  test('keeps the message of a built-in error', () => {
    for (const error of [new Error('what'), new TypeError('what'), new RangeError('what')]) {
      expect(toLoggedError(error)).toEqual({
        name: error.name,
        message: 'what',
        stack: expect.stringMatching(/^\s+at /),
      });
    }
  });

  test('keeps the class, codes and stack frames of a library error, but not its message and other properties', () => {
    const logged = toLoggedError(new DatabaseError('Unique constraint on "the secret"'));
    expect(logged).toEqual({ name: 'DatabaseError', code: 'P2002', stack: expect.stringMatching(/^\s+at /) });
    expect(toLoggedError(new ProviderFailure('the secret'))).toEqual({
      name: 'ProviderFailure',
      kind: 'rate_limited',
      status: 429,
      stack: expect.any(String),
    });
  });

  test('removes a message of several lines from the stack', () => {
    const error = new DatabaseError('the secret\n  the secret at 5\nat the secret');
    expect(error.stack).toContain('the secret');
    const { stack } = toLoggedError(error);
    expect(stack).not.toContain('the secret');
    expect(stack).toContain('logged-error.spec');
  });

  test('includes causes up to the maximum depth', () => {
    let error = new Error('bottom');
    for (let depth = 0; depth < 9; depth += 1) error = new Error('above', { cause: error });
    let logged = toLoggedError(error);
    let depth = 0;
    for (; logged.cause !== undefined; depth += 1) logged = logged.cause;
    expect(depth).toBe(4);
  });

  test('terminates for an error that is its own cause', () => {
    const error = new Error('round');
    error.cause = error;
    expect(JSON.stringify(toLoggedError(error))).toContain('round');
  });

  test('removes the message of a library error that is a cause', () => {
    const logged = toLoggedError(new Error('what', { cause: new DatabaseError('the secret') }));
    expect(logged.cause).toMatchObject({ name: 'DatabaseError', code: 'P2002' });
    expect(JSON.stringify(logged)).not.toContain('the secret');
  });

  test.each([
    ['the secret', 'string'],
    [{ secret: 'the secret' }, 'object'],
    [undefined, 'undefined'],
    [null, 'object'],
  ])('logs only the type of the thrown value %p', (thrown, name) => {
    expect(toLoggedError(thrown)).toEqual({ name });
  });
});
