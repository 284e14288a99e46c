/** The parts of an error that are logged. */
export interface LoggedError {
  readonly name: string;
  readonly message?: string;
  readonly code?: string;
  readonly kind?: string;
  readonly status?: number;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

/** Maximum number of nested causes. */
const MAX_DEPTH = 4;

/** Built-in error classes, whose messages are about code and not about data. */
const ENGINE_ERRORS: readonly unknown[] = [Error, TypeError, RangeError, ReferenceError];

/**
 * Converts an error to what may be logged. Messages of libraries and providers quote their input (a value, a prompt,
 * a key), so only the class, the code and the stack frames of those are logged.
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

/** Returns only the stack frames; a stack begins with the message. */
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
