import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import { withTimeout } from '../../common/with-timeout.js';
import { Prisma, PrismaClient } from '../../generated/prisma/client.js';
import { CONNECTION_TIMEOUT_MS, openPool, type PoolOptions } from './connection-pool.js';
import { DatabaseUnavailableError, isConnectionError } from './database-errors.js';
import { openClient } from './postgres-client.js';

/** The client inside a transaction. */
export type Transaction = Prisma.TransactionClient;

/** Maximum duration of a transaction, in milliseconds. Ours are a handful of statements. */
const TRANSACTION_TIMEOUT_MS = 10_000;

/** Maximum wait for the answer to a probe, in milliseconds: a probe itself waits no longer than 2 s. */
const PROBE_TIMEOUT_MS = 1_500;

/** The connections of the pool. */
export interface PoolState {
  readonly max: number;
  readonly total: number;
  readonly idle: number;
  /** Number of queries that wait for a connection. */
  readonly waiting: number;
}

/** Database access of this process. Only repositories use it. */
@Injectable()
export class PrismaService implements OnApplicationShutdown {
  /** Prisma's client, for single statements. */
  readonly client: PrismaClient;
  /** The client's connection pool. */
  private readonly pool: pg.Pool;
  private readonly connectionString: string;

  constructor(options: PoolOptions) {
    this.connectionString = options.connectionString;
    this.pool = openPool(options);
    this.client = new PrismaClient({
      adapter: new PrismaPg(this.pool),
      errorFormat: 'minimal',
      transactionOptions: { maxWait: CONNECTION_TIMEOUT_MS, timeout: TRANSACTION_TIMEOUT_MS },
    });
  }

  /**
   * Runs the statements of one repository method.
   * @throws DatabaseUnavailableError if the database is unavailable
   */
  run<Result>(work: (client: PrismaClient) => Promise<Result>): Promise<Result> {
    return translated(() => work(this.client));
  }

  /**
   * Runs one statement without Prisma's engine, on a connection of the same pool, for the statements of every turn.
   * The statement is unnamed, so that it works with a pooler that assigns a client a different connection each time.
   * Values are parsed by `pg`; a `bigint` column is returned as a string.
   * @returns the rows, unchecked
   * @throws DatabaseUnavailableError if the database is unavailable, or pg.DatabaseError if it rejects the statement
   */
  query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return translated(async () => (await this.pool.query<Row>(text, [...values])).rows);
  }

  /**
   * Runs one statement as `query` does, with settings of PostgreSQL that apply to it only.
   * @param settings value by name
   * @returns the rows, unchecked
   * @throws DatabaseUnavailableError if the database is unavailable, or pg.DatabaseError if it rejects the statement
   */
  queryWithSettings<Row extends pg.QueryResultRow>(
    settings: Readonly<Record<string, string>>,
    text: string,
    values: readonly unknown[],
  ): Promise<Row[]> {
    const [names, given] = [Object.keys(settings), Object.values(settings)];
    return translated(async () => {
      const client = await this.pool.connect();
      try {
        await client.query('BEGIN');
        await client.query(
          'SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[]) AS given (name, value)',
          [names, given],
        );
        const { rows } = await client.query<Row>(text, [...values]);
        await client.query('COMMIT');
        client.release();
        return rows;
      } catch (error) {
        // Destroys the connection, and with it the transaction.
        client.release(true);
        throw error;
      }
    });
  }

  /**
   * Opens a connection outside the pool and without its timeouts, for a statement that may take minutes. The caller
   * closes it.
   * @param applicationName name shown in `pg_stat_activity`
   * @throws DatabaseUnavailableError
   */
  openSession(applicationName: string): Promise<pg.Client> {
    return translated(() => openClient(this.connectionString, applicationName));
  }

  /**
   * Runs all of the work in one transaction, or none of it.
   * @param timeoutMs maximum duration, in milliseconds, for work of more than a handful of statements
   * @throws DatabaseUnavailableError if the database is unavailable
   */
  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    timeoutMs = TRANSACTION_TIMEOUT_MS,
  ): Promise<Result> {
    return translated(() => this.client.$transaction(work, { timeout: timeoutMs }));
  }

  /** Returns the state of the connection pool. */
  get poolState(): PoolState {
    const { options, totalCount, idleCount, waitingCount } = this.pool;
    return { max: options.max, total: totalCount, idle: idleCount, waiting: waitingCount };
  }

  /** Returns true if the database responds in time. */
  async isReachable(): Promise<boolean> {
    return withTimeout(PROBE_TIMEOUT_MS, () => this.client.$queryRaw`SELECT 1`).then(
      () => true,
      () => false,
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.client.$disconnect();
    // The client ends only a pool that it has used itself, so end the pool explicitly.
    await this.pool.end();
  }
}

async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw isConnectionError(error) ? new DatabaseUnavailableError(error) : error;
  }
}
