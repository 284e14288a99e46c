import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import {
  ADVISORY_LOCKS,
  closeClient,
  isServerUnavailable,
  openClient,
  failureReason,
} from './postgres-client.js';

/** Thrown if another Parley process uses the database. Without Redis, only one process may. */
export class InstanceLockError extends Error {
  override readonly name = 'InstanceLockError';
}

/** Exclusive right of this process to use its database. */
export interface InstanceLock {
  /**
   * Releases the lock. Idempotent.
   *
   * @param lastWork runs while the lock is still held, for work that no other process may observe half done: stopping
   *   the embedded server, which ends the lock too. Skipped if the lock has been lost, because another process may
   *   then use the server. Its errors are rethrown after the lock is released.
   */
  release(lastWork?: () => Promise<void>): Promise<void>;
}

export interface InstanceLockOptions {
  /** Ensures that the server runs and returns its URL. Called before every connection. */
  connect: () => Promise<string>;
  /** Maximum wait for another process, in milliseconds. */
  waitMs: number;
  report: (line: string) => void;
  /** Called once if the connection broke and another process acquired the lock before this one reconnected. */
  onLost: (error: Error) => void;
}

const POLL_MS = 200;
const REPORT_EVERY_MS = 10_000;
const LONGEST_BACKOFF_MS = 5_000;
/** Time for our own broken session to end on the server before the lock counts as lost. */
const TAKE_BACK_MS = 3_000;

/** The server session that holds the lock. */
interface Session {
  processId: number;
  /** Formatted by PostgreSQL. Together with the process id, it identifies a session permanently. */
  startedAt: string;
}

interface HeldLock {
  client: pg.Client;
  session: Session;
}

async function openLockClient(connectionString: string): Promise<pg.Client> {
  const client = await openClient(connectionString, 'parley instance lock');
  try {
    // The session is idle for its whole life. If its machine vanishes, the server must notice within half a minute.
    await client.query(
      'SET idle_session_timeout = 0; SET statement_timeout = 0; ' +
        'SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3',
    );
    return client;
  } catch (error) {
    await closeClient(client);
    throw error;
  }
}

async function tryLock(client: pg.Client): Promise<Session | undefined> {
  const { rows } = await client.query<{ taken: boolean; process_id: number; started_at: string }>(
    `SELECT pg_try_advisory_lock($1, $2) AS taken, pid AS process_id, backend_start::text AS started_at
       FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
    [ADVISORY_LOCKS.class, ADVISORY_LOCKS.instance],
  );
  const [row] = rows;
  return row?.taken ? { processId: row.process_id, startedAt: row.started_at } : undefined;
}

/** Terminates one of our sessions that the server considers alive because only our side saw the connection break. */
async function endSession(client: pg.Client, session: Session): Promise<void> {
  await client.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2::timestamptz',
    [session.processId, session.startedAt],
  );
}

/** Waits up to `waitMs` for the lock. */
async function waitForLock(options: InstanceLockOptions): Promise<HeldLock> {
  const { connect, waitMs, report } = options;
  const start = performance.now();
  let nextReport = 0;
  let client: pg.Client | undefined;
  for (;;) {
    let away: unknown;
    try {
      client ??= await openLockClient(await connect());
      const session = await tryLock(client);
      if (session) return { client, session };
    } catch (error) {
      if (client) await closeClient(client);
      client = undefined;
      // The process we are waiting for stops the embedded server when it exits; the next round starts it again.
      if (!isServerUnavailable(error)) throw error;
      away = error;
    }

    const waited = performance.now() - start;
    if (waited >= waitMs) {
      if (client) await closeClient(client);
      if (away instanceof Error) throw away;
      throw new InstanceLockError(
        `Another Parley process is using this database and did not stop within ${Math.round(waitMs / 1000)} s. ` +
          'Without Redis, only one process may use it: stop the other one, or set REDIS_URL for both.',
      );
    }
    if (away === undefined && waited >= nextReport) {
      const rest = Math.round((waitMs - waited) / 1000);
      report(
        nextReport === 0
          ? `Another Parley process is using this database. Waiting up to ${rest} s for it to stop.`
          : `Still waiting for the other Parley process to stop, for up to ${rest} s more.`,
      );
      nextReport += REPORT_EVERY_MS;
    }
    await delay(Math.min(POLL_MS, waitMs - waited));
  }
}

/** Holds a lock until it is released, and reacquires it after a broken connection. */
class KeptLock implements InstanceLock {
  private readonly options: InstanceLockOptions;
  private readonly released = new AbortController();
  private held: HeldLock;
  private isHeld = true;
  private recovery: Promise<void> = Promise.resolve();
  private releasing: Promise<void> | undefined;

  constructor(options: InstanceLockOptions, held: HeldLock) {
    this.options = options;
    this.held = held;
    this.watch();
  }

  release(lastWork?: () => Promise<void>): Promise<void> {
    return (this.releasing ??= this.releaseLock(lastWork));
  }

  private async releaseLock(lastWork?: () => Promise<void>): Promise<void> {
    this.released.abort();
    await this.recovery;
    try {
      if (this.isHeld) await lastWork?.();
    } finally {
      await closeClient(this.held.client);
    }
  }

  private wasReleased(): boolean {
    return this.released.signal.aborted;
  }

  private watch(): void {
    this.held.client.once('end', () => {
      this.isHeld = false;
      if (!this.wasReleased()) this.recovery = this.recover();
    });
  }

  private async recover(): Promise<void> {
    const { report, onLost } = this.options;
    report('The connection that holds the instance lock was lost. Reconnecting.');
    for (let backoffMs = 100; !this.wasReleased(); backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS)) {
      try {
        const held = await this.takeBack();
        if (!held) {
          onLost(
            new InstanceLockError(
              'The connection to the database was lost, and another Parley process has taken over the database. ' +
                'Without Redis, only one process may use it: stop one of them, or set REDIS_URL for both.',
            ),
          );
          return;
        }
        this.held = held;
        this.isHeld = true;
        this.watch();
        report('The instance lock was acquired again.');
        return;
      } catch (error) {
        if (this.wasReleased()) return;
        report(`Could not reacquire the instance lock yet: ${failureReason(error)}`);
      }
      await delay(backoffMs, undefined, { signal: this.released.signal }).catch(() => undefined);
    }
  }

  /** Reconnects and acquires the lock; returns undefined if another process holds it. */
  private async takeBack(): Promise<HeldLock | undefined> {
    const client = await openLockClient(await this.options.connect());
    try {
      const deadline = performance.now() + TAKE_BACK_MS;
      await endSession(client, this.held.session);
      do {
        const session = await tryLock(client);
        if (session) return { client, session };
        await delay(POLL_MS, undefined, { signal: this.released.signal });
      } while (performance.now() < deadline);
    } catch (error) {
      await closeClient(client);
      throw error;
    }
    await closeClient(client);
    return undefined;
  }
}

/**
 * Acquires the lock that makes this process the only user of its database, and holds it until the process ends: a
 * session-level advisory lock on its own connection. While another process holds it, waits and reports that. If the
 * connection breaks, reacquires it.
 *
 * @throws InstanceLockError if another process still holds it after `waitMs`
 * @throws the last connection error if the server was unreachable at the end of that time; any other error
 *   immediately
 */
export async function acquireInstanceLock(options: InstanceLockOptions): Promise<InstanceLock> {
  return new KeptLock(options, await waitForLock(options));
}
