import pg from 'pg';

/**
 * The advisory locks that we take. PostgreSQL keeps them per database, so two installations on one server do not
 * meet. The class is "parl" in ASCII.
 */
export const advisoryLocks = {
  class: 0x7061726c,
  /** Held for life by the one process that may use a database without Redis. */
  instance: 1,
  /** Held while migrations are read and applied. */
  migrations: 2,
} as const;

const connectTimeoutMs = 5_000;
const closeTimeoutMs = 2_000;

/**
 * Opens a client of its own, outside any pool, for work that needs one session.
 *
 * @param applicationName what `pg_stat_activity` shows
 * @throws whatever `pg` throws; {@link isServerAway} tells whether another try can help
 */
export async function openClient(connectionString: string, applicationName: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    application_name: applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // A connection that breaks while nobody waits for a query is an 'error' event, which would end the process.
  // Whoever needs to know listens for 'end', which always follows.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await closeClient(client);
    throw error;
  }
}

/** Closes a client, whatever state it is in. Never rejects and never waits longer than two seconds. */
export async function closeClient(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), closeTimeoutMs);
  try {
    await client.end();
  } catch {
    // It was closed already.
  } finally {
    clearTimeout(timer);
  }
}

const socketErrors = new Set([
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

/** Stopping, crashed, starting up, out of connection slots: all pass. */
const passingStates = new Set(['57P01', '57P02', '57P03', '53300']);

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether an error of `pg` means that the server could not be reached or went away, so that a new try may succeed. */
export function isServerAway(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isServerAway);
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  // Errors of `pg` itself (a connection that ended, a timeout) have no code, only a text.
  if (code === undefined)
    return /connection (terminated|ended)|timeout|not queryable|closed/i.test(error.message);
  return socketErrors.has(code) || passingStates.has(code) || code.startsWith('08');
}

/** What went wrong, for a line of text: some errors of Node (all addresses refused) have an empty message. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return [...new Set(error.errors.map(reasonOf))].join('; ');
  }
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? (codeOf(error) ?? error.name) : error.message;
}

/** A connection string as it may be shown: without its password. */
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
