import type pg from 'pg';
import type { ServerProcess } from './server-process.js';
import { until } from './stored.js';

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

/** Holds a server at a stage, and kills it there after what `begin` starts. */
export async function killServerAt(
  { name, lock }: HeldStage,
  holder: pg.Client,
  server: ServerProcess,
  begin: () => Promise<void>,
): Promise<void> {
  await holder.query('SELECT pg_advisory_lock($1)', [lock]);
  await begin();
  await until(
    `the stage ${name}`,
    async () => (await holder.query(`SELECT FROM pg_locks WHERE ${WAITING}`, [lock])).rowCount !== 0,
    PATIENCE_MS,
  );
  await server.end('SIGKILL');
  await holder.query(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE ${WAITING}`, [lock]);
  await holder.query('SELECT pg_advisory_unlock($1)', [lock]);
}
