import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import { Prisma, PrismaClient } from '../../generated/prisma/client.js';
import { CONNECTION_TIMEOUT_MS, openPool, type PoolOptions } from './connection-pool.js';
import { DatabaseUnavailableError, isConnectionError } from './database-errors.js';

/** The client inside a transaction. */
export type Transaction = Prisma.TransactionClient;

/** How long a transaction may take, in milliseconds. Ours are a handful of statements. */
const TRANSACTION_TIMEOUT_MS = 10_000;

/** The connection pool of this process. Only repositories use it. */
@Injectable()
export class PrismaService implements OnApplicationShutdown {
  /** For single statements. */
  readonly client: PrismaClient;
  /** The connections of the client. */
  private readonly pool: pg.Pool;

  constructor(options: PoolOptions) {
    this.pool = openPool(options);
    this.client = new PrismaClient({
      adapter: new PrismaPg(this.pool),
      errorFormat: 'minimal',
      transactionOptions: { maxWait: CONNECTION_TIMEOUT_MS, timeout: TRANSACTION_TIMEOUT_MS },
    });
  }

  /**
   * Runs statements of one repository method.
   * @throws DatabaseUnavailableError where the database is away
   */
  run<Result>(work: (client: PrismaClient) => Promise<Result>): Promise<Result> {
    return translated(() => work(this.client));
  }

  /**
   * Runs one statement without Prisma's engine, on a connection of the same pool: for the statements that every turn
   * makes. The statement has no name, so that it works through a pooler that gives a client another connection each time.
   * Values are what `pg` makes of them; a `bigint` column comes as a string.
   * @returns the rows, unchecked
   * @throws DatabaseUnavailableError if the database is away, or pg.DatabaseError if it refuses the statement
   */
  query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return translated(async () => (await this.pool.query<Row>(text, [...values])).rows);
  }

  /**
   * Runs all of the work in one transaction, or nothing of it.
   * @param timeoutMs how long it may take where it is more than a handful of statements, in milliseconds
   * @throws DatabaseUnavailableError where the database is away
   */
  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    timeoutMs = TRANSACTION_TIMEOUT_MS,
  ): Promise<Result> {
    return translated(() => this.client.$transaction(work, { timeout: timeoutMs }));
  }

  /** Whether the database answers. */
  async answers(): Promise<boolean> {
    return this.client.$queryRaw`SELECT 1`.then(
      () => true,
      () => false,
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.client.$disconnect();
    // Not left to the client, which ends only a pool that it has used itself.
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
