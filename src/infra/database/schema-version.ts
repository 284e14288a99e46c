import { Logger, type OnApplicationBootstrap } from '@nestjs/common';
import pg from 'pg';
import { TimeoutError, withTimeout } from '../../common/with-timeout.js';
import { DatabaseUnavailableError } from './database-errors.js';
import { findNewerMigrations, isBreaking } from './migration-history.js';
import type { PrismaService } from './prisma.service.js';

/** PostgreSQL's error code for a table that does not exist: the database has been emptied. */
const UNDEFINED_TABLE = '42P01';

/**
 * Relation of the schema of the database to the one that this version of Parley was written for:
 * - `current`: they are equal;
 * - `newer`: the database has more migrations, all of which this version can work with;
 * - `older`: a migration of this version has not been applied;
 * - `incompatible`: the database has a migration that this version cannot work with.
 */
export type SchemaState = 'current' | 'newer' | 'older' | 'incompatible';

/** Maximum wait for the state of the schema in a probe, in milliseconds. Probes time out early. */
const PROBE_MS = 1_500;

/** Reasons why a process cannot serve, by the state of the database; undefined if it can. */
const PROBLEMS = {
  current: undefined,
  newer: undefined,
  unavailable: 'The database is unavailable. Try again in a few seconds.',
  older:
    'The database schema is older than this version of Parley. Apply the migrations: restart the server, or run `node dist/migrate.js`.',
  incompatible:
    'The database schema belongs to a newer version of Parley that this version cannot work with. Start that version.',
} satisfies Record<SchemaState | 'unavailable', string | undefined>;

/** Compares the schema of the database with the migrations of this version while the process runs. */
export class SchemaVersion implements OnApplicationBootstrap {
  private readonly logger = new Logger(SchemaVersion.name);
  private hasWarned = false;

  /** @param migrations names of the migrations of this version */
  constructor(
    private readonly prisma: PrismaService,
    private readonly migrations: readonly string[],
  ) {}

  /** Logs the warning about a newer schema, if there is one. A database that is unavailable is reported elsewhere. */
  async onApplicationBootstrap(): Promise<void> {
    await this.state().catch(() => undefined);
  }

  /** Returns the reason why this process cannot serve on the database; undefined if it can. Answers within 2 s. */
  async findProblem(): Promise<string | undefined> {
    const state = await withTimeout(PROBE_MS, () => this.state()).catch((error: unknown): 'unavailable' => {
      if (error instanceof TimeoutError || error instanceof DatabaseUnavailableError) return 'unavailable';
      throw error;
    });
    return PROBLEMS[state];
  }

  /**
   * Reads the state of the schema. Logs a warning the first time that it is newer.
   * @throws DatabaseUnavailableError
   */
  async state(): Promise<SchemaState> {
    const applied = await this.listApplied();
    const newer = findNewerMigrations(applied, this.migrations);
    if (newer.some(isBreaking)) return 'incompatible';
    if (this.migrations.some((name) => !applied.includes(name))) return 'older';
    if (newer.length === 0) return 'current';
    this.warnOnce(newer);
    return 'newer';
  }

  private async listApplied(): Promise<string[]> {
    try {
      const rows = await this.prisma.query<{ migration_name: string }>(
        `SELECT migration_name FROM _prisma_migrations
         WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name`,
        [],
      );
      return rows.map(({ migration_name }) => migration_name);
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === UNDEFINED_TABLE) return [];
      throw error;
    }
  }

  private warnOnce(newer: readonly string[]): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.logger.warn(
      `The database has migrations of a newer version of Parley (${newer.join(', ')}). This version can work with it; upgrade when you can.`,
    );
  }
}
