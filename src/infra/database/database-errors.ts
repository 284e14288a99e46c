import { AppError } from '../../common/errors.js';
import { Prisma } from '../../generated/prisma/client.js';

const UNAVAILABLE = 'The database is unavailable. Try again in a few seconds.';
const TIMED_OUT = 'The database did not complete the operation in time. Try again in a few seconds.';

/**
 * Reports that the database cannot be reached or does not accept work now. Nothing of the operation was committed,
 * unless only the confirmation of the commit was lost.
 */
export class DatabaseUnavailableError extends AppError {
  /** True if the database was available and a statement took too long. */
  readonly isStatementTimeout: boolean;

  constructor(cause: unknown) {
    const isTimeout = isStatementTimeout(cause);
    super('service_unavailable', isTimeout ? TIMED_OUT : UNAVAILABLE, { cause, retryAfterMs: 2000 });
    this.isStatementTimeout = isTimeout;
  }
}

/**
 * Prisma's codes for: cannot reach the server, timeout while connecting, operation timed out, connection closed,
 * timeout of the connection pool, transaction not started.
 */
const PRISMA_CONNECTION_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028']);

/**
 * PostgreSQL's classes 08 (connection, except a protocol violation), 53 (resources) and 57 (operator intervention,
 * including a statement that took too long), a transaction that was idle too long, and Node's socket errors.
 */
const DRIVER_CONNECTION_CODE =
  /^(08(?!P01)...|53...|57P..|57014|25P03|ECONN\w+|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)$/;

/**
 * Error kinds of Prisma's driver adapter. Nothing above it translates some of its errors, for instance at a COMMIT:
 * their cause is then a plain object with a kind.
 */
const ADAPTER_CONNECTION_KINDS = new Set([
  'ConnectionClosed',
  'DatabaseNotReachable',
  'SocketTimeout',
  'TooManyConnections',
]);

/** Matches messages of the drivers' errors that have no code. */
const CONNECTION_WORDS =
  /connection terminated|connection ended|timeout exceeded when trying to connect|client has encountered a connection error|socket (?:closed|hang up)|not queryable/i;

/** Returns true if an error means that the database is unavailable, as opposed to rejecting the statement. */
export function isConnectionError(error: unknown): boolean {
  for (const cause of causesOf(error)) {
    if (cause instanceof Prisma.PrismaClientInitializationError) return true;
    if (ADAPTER_CONNECTION_KINDS.has(textField(cause, 'kind'))) return true;
    for (const code of codesOf(cause)) {
      if (PRISMA_CONNECTION_CODES.has(code) || DRIVER_CONNECTION_CODE.test(code)) return true;
    }
    if (CONNECTION_WORDS.test(textField(cause, 'message'))) return true;
  }
  return false;
}

/** Returns true if the database cancelled a statement, which it does when the statement takes too long. */
function isStatementTimeout(error: unknown): boolean {
  return causesOf(error).some((cause) => codesOf(cause).includes('57014'));
}

/** Returns an error with its causes. */
function causesOf(error: unknown): object[] {
  const causes: object[] = [];
  for (let cause = error; isObject(cause) && causes.length < 5; cause = originOf(cause)) causes.push(cause);
  return causes;
}

function codesOf(cause: object): string[] {
  return [textField(cause, 'code'), textField(cause, 'originalCode')];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/**
 * Returns the origin of an error: the driver error that Prisma attaches to the failure of a raw statement, or its
 * cause.
 */
function originOf(error: object): unknown {
  const meta: unknown = Reflect.get(error, 'meta');
  const origin: unknown =
    typeof meta === 'object' && meta !== null ? Reflect.get(meta, 'driverAdapterError') : undefined;
  return origin ?? Reflect.get(error, 'cause');
}

function textField(value: object, name: string): string {
  const field: unknown = Reflect.get(value, name);
  return typeof field === 'string' ? field : '';
}

/** Returns true if an error is the violation of a unique index that covers the given column. */
export function isUniqueViolation(error: unknown, column: string): boolean {
  return (
    error instanceof Prisma.PrismaClientKnownRequestError &&
    error.code === 'P2002' &&
    JSON.stringify(error.meta ?? {}).includes(column)
  );
}
