import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { advisoryLocks, closeClient, isServerAway, openClient, reasonOf } from './postgres-client.js';

/** Another Parley process uses the database, and without Redis exactly one may. */
export class InstanceLockError extends Error {
  override readonly name = 'InstanceLockError';
}

/** The right of this process to be the only one that uses its database. */
export interface InstanceLock {
  /**
   * Gives the lock up. Idempotent.
   *
   * @param lastWork runs while the lock is still held, for what nobody else may meet half done: stopping the
   *   embedded server, which ends the lock with it. Not run where the lock is not held any more, because then
   *   somebody else may use the server. What it throws is thrown on, after the lock is given up.
   */
  release(lastWork?: () => Promise<void>): Promise<void>;
}

export interface InstanceLockOptions {
  /** Makes sure that the server runs and returns where to connect. Called before every connection. */
  connect: () => Promise<string>;
  /** How long to wait for another process, in milliseconds. */
  waitMs: number;
  report: (line: string) => void;
  /** Called once, when the connection broke and another process took the lock before we were back. */
  onLost: (error: Error) => void;
}

const pollMs = 200;
const reportEveryMs = 10_000;
const longestBackoffMs = 5_000;
/** How long our own broken session may take to leave the server before the lock counts as lost. */
const takeBackMs = 3_000;

/** Which server session holds the lock. */
interface Session {
  processId: number;
  /** As PostgreSQL prints it: with the number it names one session for good. */
  startedAt: string;
}

interface HeldLock {
  client: pg.Client;
  session: Session;
}

async function openLockClient(connectionString: string): Promise<pg.Client> {
  const client = await openClient(connectionString, 'parley instance lock');
  try {
    // The session idles for life, and should its machine vanish, the server must notice within half a minute.
    await client.query(
      'set idle_session_timeout = 0; set statement_timeout = 0; ' +
        'set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3',
    );
    return client;
  } catch (error) {
    await closeClient(client);
    throw error;
  }
}

async function tryLock(client: pg.Client): Promise<Session | undefined> {
  const { rows } = await client.query<{ taken: boolean; process_id: number; started_at: string }>(
    `select pg_try_advisory_lock($1, $2) as taken, pid as process_id, backend_start::text as started_at
       from pg_stat_activity where pid = pg_backend_pid()`,
    [advisoryLocks.class, advisoryLocks.instance],
  );
  const [row] = rows;
  return row?.taken ? { processId: row.process_id, startedAt: row.started_at } : undefined;
}

/** Ends a session of ours that the server still believes in, because only our side saw the connection break. */
async function endSession(client: pg.Client, session: Session): Promise<void> {
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start = $2::timestamptz',
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
      // The process that we wait for stops the embedded server when it goes: the next round starts it again.
      if (!isServerAway(error)) throw error;
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
      nextReport += reportEveryMs;
    }
    await delay(Math.min(pollMs, waitMs - waited));
  }
}

/** Keeps a lock through broken connections until it is released. */
class KeptLock implements InstanceLock {
  readonly #options: InstanceLockOptions;
  readonly #released = new AbortController();
  #held: HeldLock;
  #isHeld = true;
  #recovery: Promise<void> = Promise.resolve();
  #releasing: Promise<void> | undefined;

  constructor(options: InstanceLockOptions, held: HeldLock) {
    this.#options = options;
    this.#held = held;
    this.#watch();
  }

  release(lastWork?: () => Promise<void>): Promise<void> {
    return (this.#releasing ??= this.#release(lastWork));
  }

  async #release(lastWork?: () => Promise<void>): Promise<void> {
    this.#released.abort();
    await this.#recovery;
    try {
      if (this.#isHeld) await lastWork?.();
    } finally {
      await closeClient(this.#held.client);
    }
  }

  #wasReleased(): boolean {
    return this.#released.signal.aborted;
  }

  #watch(): void {
    this.#held.client.once('end', () => {
      this.#isHeld = false;
      if (!this.#wasReleased()) this.#recovery = this.#recover();
    });
  }

  async #recover(): Promise<void> {
    const { report, onLost } = this.#options;
    report('The connection that holds the instance lock was lost. Reconnecting.');
    for (let backoffMs = 100; !this.#wasReleased(); backoffMs = Math.min(backoffMs * 2, longestBackoffMs)) {
      try {
        const held = await this.#takeBack();
        if (!held) {
          onLost(
            new InstanceLockError(
              'The connection to the database was lost, and another Parley process has taken over the database. ' +
                'Without Redis, only one process may use it: stop one of them, or set REDIS_URL for both.',
            ),
          );
          return;
        }
        this.#held = held;
        this.#isHeld = true;
        this.#watch();
        report('The instance lock was acquired again.');
        return;
      } catch (error) {
        if (this.#wasReleased()) return;
        report(`Could not reacquire the instance lock yet: ${reasonOf(error)}`);
      }
      await delay(backoffMs, undefined, { signal: this.#released.signal }).catch(() => undefined);
    }
  }

  /** Connects and takes the lock; undefined where somebody else holds it. */
  async #takeBack(): Promise<HeldLock | undefined> {
    const client = await openLockClient(await this.#options.connect());
    try {
      const deadline = performance.now() + takeBackMs;
      await endSession(client, this.#held.session);
      do {
        const session = await tryLock(client);
        if (session) return { client, session };
        await delay(pollMs, undefined, { signal: this.#released.signal });
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
 * Takes the lock that makes this process the only one of its database, and keeps it for life: a session advisory
 * lock on a connection of its own. While another process holds it, waits and says so. When the connection breaks,
 * takes it again.
 *
 * @throws InstanceLockError when another process still holds it after `waitMs`
 * @throws the last connection error when the server was not reachable at the end of that time; anything else at once
 */
export async function acquireInstanceLock(options: InstanceLockOptions): Promise<InstanceLock> {
  return new KeptLock(options, await waitForLock(options));
}
