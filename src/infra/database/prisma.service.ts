import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import { Prisma, PrismaClient } from '../../generated/prisma/client.js';
import { CONNECTION_TIMEOUT_MS, openPool, type PoolOptions } from './connection-pool.js';
import { DatabaseUnavailableError, isConnectionError } from './database-errors.js';

/** The client inside a transaction. */
export type Transaction = Prisma.TransactionClient;

/** Maximum duration of a transaction, in milliseconds. Ours are a handful of statements. */
const TRANSACTION_TIMEOUT_MS = 10_000;

/** Database access of this process. Only repositories use it. */
@Injectable()
export class PrismaService implements OnApplicationShutdown {
  /** Prisma's client, for single statements. */
  readonly client: PrismaClient;
  /** The client's connection pool. */
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

  /** Returns true if the database responds. */
  async isReachable(): Promise<boolean> {
    return this.client.$queryRaw`SELECT 1`.then(
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
