import { AppError } from '../../common/errors.js';
import { Prisma } from '../../generated/prisma/client.js';

/**
 * The database cannot be reached or does not accept work now. Nothing of the operation was committed, unless it was the
 * confirmation itself that was lost.
 */
export class DatabaseUnavailableError extends AppError {
  constructor(cause: unknown) {
    super('service_unavailable', 'The database is unavailable. Try again in a few seconds.', {
      cause,
      retryAfterMs: 2000,
    });
  }
}

/** Prisma: cannot reach, timed out reaching, closed connection, no connection from the pool, transaction not started. */
const PRISMA_CONNECTION_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028']);

/**
 * PostgreSQL classes 08 (connection, but for what the server could not read), 53 (resources), 57 (operator intervention, a statement that took too long among
 * them), a transaction that waited too long, and Node's socket errors.
 */
const DRIVER_CONNECTION_CODE =
  /^(08(?!P01)...|53...|57P..|57014|25P03|ECONN\w+|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)$/;

/**
 * Prisma's driver adapter where nothing above it translates, as at a COMMIT: the cause of its error is a plain object
 * with a kind.
 */
const ADAPTER_CONNECTION_KINDS = new Set([
  'ConnectionClosed',
  'DatabaseNotReachable',
  'SocketTimeout',
  'TooManyConnections',
]);

/** What the drivers say where they give no code. */
const CONNECTION_WORDS =
  /connection terminated|connection ended|timeout exceeded when trying to connect|client has encountered a connection error|socket (?:closed|hang up)|not queryable/i;

/** Whether an error says that the database is away, as opposed to refusing the statement. */
export function isConnectionError(error: unknown): boolean {
  for (
    let cause: unknown = error, depth = 0;
    typeof cause === 'object' && cause !== null && depth < 5;
    cause = originOf(cause), depth += 1
  ) {
    if (cause instanceof Prisma.PrismaClientInitializationError) return true;
    if (ADAPTER_CONNECTION_KINDS.has(textField(cause, 'kind'))) return true;
    for (const code of [textField(cause, 'code'), textField(cause, 'originalCode')]) {
      if (PRISMA_CONNECTION_CODES.has(code) || DRIVER_CONNECTION_CODE.test(code)) return true;
    }
    if (CONNECTION_WORDS.test(textField(cause, 'message'))) return true;
  }
  return false;
}

/** What an error was made of: its cause, or what Prisma puts beside the failure of a raw statement. */
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

/** Whether an error is the violation of a unique index that covers the given column. */
export function isUniqueViolation(error: unknown, column: string): boolean {
  return (
    error instanceof Prisma.PrismaClientKnownRequestError &&
    error.code === 'P2002' &&
    JSON.stringify(error.meta ?? {}).includes(column)
  );
}
