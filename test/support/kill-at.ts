import type pg from 'pg';
import type { TestDatabase } from './database.js';
import type { ServerProcess } from './server-process.js';
import { query, until } from './stored.js';

/** Time to reach a stage, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Another session of the database that waits for an advisory lock. */
const WAITING =
  "locktype = 'advisory' AND objid = $1 AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/** A stage of the work of a server, at which triggers wait for an advisory lock. */
export interface HeldStage {
  readonly name: string;
  /** Key of the advisory lock. */
  readonly lock: number;
}

/** Adds the function of triggers that wait for the advisory lock of their argument. */
export async function addHoldFunction(holder: pg.Client): Promise<void> {
  await holder.query(`
    CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::int);
      RETURN COALESCE(NEW, OLD);
    END $$`);
}

/** Returns the statement for a trigger that holds a stage. */
export function holdTrigger({ name, lock }: HeldStage, when: string, condition = 'TRUE'): string {
  return `CREATE TRIGGER "hold_${name}" BEFORE ${when} FOR EACH ROW WHEN (${condition})
    EXECUTE FUNCTION public.hold(${lock});`;
}

/**
 * Holds a server at a stage that it reaches after what `begin` starts, in addition to those at which it is held. The
 * timeout of a statement, 8 seconds, ends a hold: stages that take long to reach must come first.
 */
export async function holdAt(
  { name, lock }: HeldStage,
  holder: pg.Client,
  begin: () => Promise<void>,
): Promise<void> {
  await holder.query('SELECT pg_advisory_lock($1)', [lock]);
  await begin();
  await until(`the stage ${name}`, () => isHeld(lock, holder), PATIENCE_MS);
}

/**
 * Kills a server that is held at all of these stages, and releases them.
 * @throws Error if it is no longer held at one of them
 */
export async function killHeldServer(
  server: ServerProcess,
  holder: pg.Client,
  stages: readonly HeldStage[],
): Promise<void> {
  for (const { name, lock } of stages)
    if (!(await isHeld(lock, holder))) throw new Error(`The server is no longer held at the stage ${name}.`);
  await server.end('SIGKILL');
  for (const { lock } of stages) {
    await holder.query(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE ${WAITING}`, [lock]);
    await holder.query('SELECT pg_advisory_unlock($1)', [lock]);
  }
}

/**
 * Makes the locks of dead processes on jobs expire in a queue in PostgreSQL, so that the next worker gets the jobs when
 * it looks first. It does nothing if the queue is in Redis.
 */
export async function expireJobLocks(database: Pick<TestDatabase, 'url'>): Promise<void> {
  const schema = await queueSchema(database);
  if (schema === undefined) return;
  // A worker marks the jobs that it finds and takes them at the next look; looks of all workers are seconds apart.
  await query(
    database,
    `UPDATE "${schema}".job SET locked_until_ms = 1, stalled_marked = TRUE WHERE state = 'active'`,
  );
  await query(database, `DELETE FROM "${schema}".meta WHERE field = 'stalled-check'`);
}

/** Returns the schema of the queue in PostgreSQL; undefined if the queue is in Redis. */
export async function queueSchema(database: Pick<TestDatabase, 'url'>): Promise<string | undefined> {
  const [table] = await query(database, "SELECT schemaname FROM pg_tables WHERE tablename = 'job'");
  return table && String(table['schemaname']);
}

async function isHeld(lock: number, holder: pg.Client): Promise<boolean> {
  return (await holder.query(`SELECT FROM pg_locks WHERE ${WAITING}`, [lock])).rowCount !== 0;
}
