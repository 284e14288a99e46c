import pg from 'pg';

/**
 * Keys of our advisory locks. PostgreSQL scopes them to a database, so two installations on one server do not
 * conflict. The class is "parl" in ASCII.
 */
export const ADVISORY_LOCKS = {
  class: 0x7061726c,
  /** Held for the whole life of the one process that may use a database without Redis. */
  instance: 1,
  /** Held while migrations are checked and applied. */
  migrations: 2,
  /** Held while an index for vector search is built. */
  vectorIndexes: 3,
} as const;

const CONNECT_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * Opens a client outside any pool, for work that needs one session.
 *
 * @param applicationName name shown in `pg_stat_activity`
 * @throws any error of `pg`; {@link isServerUnavailable} tells whether a retry can help
 */
export async function openClient(connectionString: string, applicationName: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // A connection that breaks while no query is running emits 'error', which would end the process. Code that needs to
  // know listens for 'end', which always follows.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await closeClient(client);
    throw error;
  }
}

/** Closes a client in any state. Never rejects and never waits longer than two seconds. */
export async function closeClient(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), CLOSE_TIMEOUT_MS);
  try {
    await client.end();
  } catch {
    // The client was already closed.
  } finally {
    clearTimeout(timer);
  }
}

const SOCKET_ERRORS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);

/** Temporary server states: stopping, crashed, starting up, out of connection slots. */
const TEMPORARY_STATES = new Set(['57P01', '57P02', '57P03', '53300']);

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Returns true if an error of `pg` means that the server could not be reached or went away, so that a retry may
 * succeed.
 */
export function isServerUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isServerUnavailable);
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  // Errors of `pg` itself (a closed connection, a timeout) have no code, only a message.
  if (code === undefined)
    return /connection (terminated|ended)|timeout|not queryable|closed/i.test(error.message);
  return SOCKET_ERRORS.has(code) || TEMPORARY_STATES.has(code) || code.startsWith('08');
}

/**
 * Returns the reason of a failure for a log line. Some of Node's errors (all addresses refused) have an empty
 * message.
 */
export function failureReason(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return [...new Set(error.errors.map(failureReason))].join('; ');
  }
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? (codeOf(error) ?? error.name) : error.message;
}

/** Returns a connection string without its password, for display. */
export function maskPassword(connectionString: string): string {
  try {
    const url = new URL(connectionString);
    if (url.password !== '') url.password = '***';
    for (const name of ['password', 'sslpassword'])
      if (url.searchParams.has(name)) url.searchParams.set(name, '***');
    return url.href;
  } catch {
    return 'not a URL';
  }
}
