import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { withTimeout } from '../../common/with-timeout.js';
import { Prisma, PrismaClient } from '../../generated/prisma/client.js';
import { CONNECTION_TIMEOUT_MS, openPool, type PoolOptions } from './connection-pool.js';
import { DatabaseUnavailableError, isConnectionError } from './database-errors.js';
import { LowPriorityLimiter } from './low-priority-limiter.js';
import { openClient } from './postgres-client.js';
import { PreparedStatements } from './prepared-statements.js';

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

/** How a statement is run. */
export interface QueryOptions {
  /**
   * True if PostgreSQL may keep its plan for each connection: for statements without effects that are run often, are
   * planned alike whatever their values are, and of whose text there are few variants. Otherwise it has no name.
   */
  readonly isPrepared?: boolean;
  /** Settings of PostgreSQL that apply to this statement only, by name. It then takes two more round trips. */
  readonly settings?: Readonly<Record<string, string>>;
  /** `low` if others should not wait for it: a fifth of the connections run such statements at once. */
  readonly priority?: 'normal' | 'low';
}

/** Database access of this process. Only repositories use it. */
@Injectable()
export class PrismaService implements OnApplicationShutdown {
  /** Prisma's client, for single statements. */
  readonly client: PrismaClient;
  /** The client's connection pool. */
  private readonly pool: pg.Pool;
  private readonly prepared = new PreparedStatements();
  private readonly lowPriority: LowPriorityLimiter;
  private readonly connectionString: string;

  constructor(options: PoolOptions) {
    this.connectionString = options.connectionString;
    this.pool = openPool(options);
    this.lowPriority = new LowPriorityLimiter(options.poolMax);
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
   * Runs one statement without Prisma's engine, on a connection of the same pool, for the statements of every turn and
   * call, and of searches. Values are parsed by `pg`; a `bigint` column is returned as a string.
   * @returns the rows, unchecked
   * @throws DatabaseUnavailableError if the database is unavailable, or pg.DatabaseError if it rejects the statement
   */
  query<Row extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[],
    { isPrepared = false, settings, priority = 'normal' }: QueryOptions = {},
  ): Promise<Row[]> {
    const send = async (name?: string): Promise<Row[]> => {
      const statement = { ...(name !== undefined && { name }), text, values: [...values] };
      return settings === undefined
        ? (await this.pool.query<Row>(statement)).rows
        : this.queryWithSettings<Row>(settings, statement);
    };
    const run = (): Promise<Row[]> => (isPrepared ? this.prepared.run(text, send) : send());
    return translated(() => (priority === 'low' ? this.lowPriority.run(run) : run()));
  }

  /** Runs a statement with settings of PostgreSQL that apply to it only. */
  private async queryWithSettings<Row extends pg.QueryResultRow>(
    settings: Readonly<Record<string, string>>,
    statement: pg.QueryConfig,
  ): Promise<Row[]> {
    const client = await this.pool.connect();
    try {
      // One message for both, because a round trip takes a large part of the time of a search.
      await client.query(`BEGIN; SELECT ${Object.entries(settings).map(toLocalSetting).join(', ')}`);
      const { rows } = await client.query<Row>(statement);
      await client.query('COMMIT');
      client.release();
      return rows;
    } catch (error) {
      // Destroys the connection, and with it the transaction.
      client.release(true);
      throw error;
    }
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

/** Returns the call that changes a setting until the end of a transaction. */
function toLocalSetting([name, value]: readonly [string, string]): string {
  return `set_config(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)}, true)`;
}

async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw isConnectionError(error) ? new DatabaseUnavailableError(error) : error;
  }
}
