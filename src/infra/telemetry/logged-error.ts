/** What of an error goes into the log. */
export interface LoggedError {
  readonly name: string;
  readonly message?: string;
  readonly code?: string;
  readonly kind?: string;
  readonly status?: number;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

/** Causes are followed this far. */
const MAX_DEPTH = 4;

/** Errors of the engine itself, whose messages speak of code and not of data. */
const ENGINE_ERRORS: readonly unknown[] = [Error, TypeError, RangeError, ReferenceError];

/**
 * An error as the log may hold it. Messages of libraries and providers quote what they were given (a value, a prompt,
 * a key), so of those only the class, the code and the place are kept.
 */
export function toLoggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { name: typeof error };
  const code = textOf(error, 'code');
  const kind = textOf(error, 'kind');
  const status: unknown = Reflect.get(error, 'status');
  return {
    name: error.constructor.name,
    ...(ENGINE_ERRORS.includes(error.constructor) && { message: error.message }),
    ...(code !== undefined && { code }),
    ...(kind !== undefined && { kind }),
    ...(typeof status === 'number' && { status }),
    ...(error.stack !== undefined && { stack: framesOf(error.stack) }),
    ...(error.cause !== undefined && depth < MAX_DEPTH && { cause: toLoggedError(error.cause, depth + 1) }),
  };
}

/** A stack begins with the message; only the frames are wanted. */
function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}

function textOf(error: Error, name: string): string | undefined {
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' ? value : undefined;
}
