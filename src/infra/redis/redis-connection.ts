import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';

/** Location of our data in Redis. */
export interface RedisSettings {
  /** Undefined without Redis. */
  readonly redisUrl: string | undefined;
  /** Beginning of the name of every key and channel; empty if this installation has Redis for itself. */
  readonly redisKeyPrefix: string;
}

/** What the connections of a process differ in. */
type Options =
  | Required<Pick<RedisOptions, 'autoResubscribe'>>
  | Required<Pick<RedisOptions, 'socketTimeout' | 'maxRetriesPerRequest'>>;

/**
 * How long Redis may leave us without the answer that is due, in milliseconds. Whoever asked goes on without it then, and
 * the connection is given up: a Redis that hangs costs one wait, since it is not asked again before it has greeted anew.
 */
const ANSWER_TIMEOUT_MS = 500;

/** How long a new connection may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;

/** How long nothing may come before the system asks whether the other end is still there, in milliseconds. */
const KEEP_ALIVE_MS = 5_000;

/** Longest pause between two tries to connect, in milliseconds: limits are shared again within a second. */
const RECONNECT_MS = 500;

/** The connection that the whole process shares, where there is Redis. A command fails at once while it is away. */
@Injectable()
export class RedisConnection implements OnApplicationShutdown {
  readonly client: Redis | undefined;
  private readonly logger = new Logger(RedisConnection.name);
  private readonly opened: Redis[] = [];
  private isAway = false;

  /** @param keyPrefix is put before the keys of every command; channels and patterns need it from their caller */
  constructor(
    private readonly url: string | undefined,
    readonly keyPrefix = '',
  ) {
    this.client = this.open({ socketTimeout: ANSWER_TIMEOUT_MS, maxRetriesPerRequest: 0 });
    // By this connection alone, since each of the others would log the same absence once more.
    if (this.client !== undefined) this.logAbsence(this.client);
  }

  /** Asks Redis for an answer. True without Redis. */
  async answers(): Promise<boolean> {
    if (this.client === undefined) return true;
    return this.client.ping().then(
      () => true,
      () => false,
    );
  }

  /**
   * Waits until the connection is ready; without Redis it is.
   * @returns false if that took longer than `timeoutMs`
   */
  async waitUntilReady(timeoutMs?: number): Promise<boolean> {
    const { client } = this;
    if (client === undefined || client.status === 'ready') return true;
    const ready = new Promise<boolean>((resolve) => {
      client.once('ready', () => {
        resolve(true);
      });
    });
    return timeoutMs === undefined ? ready : Promise.race([ready, delay(timeoutMs, false, { ref: false })]);
  }

  /** A connection of its own for whoever subscribes, which can do nothing else; undefined without Redis. */
  subscriber(): Redis | undefined {
    return this.open({ autoResubscribe: false });
  }

  onApplicationShutdown(): void {
    for (const connection of this.opened) connection.disconnect();
  }

  private open(options: Options): Redis | undefined {
    if (this.url === undefined) return undefined;
    const connection = new Redis(this.url, {
      // What waits for Redis to come back would come too late for everything that we ask of it.
      enableOfflineQueue: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepAlive: KEEP_ALIVE_MS,
      keyPrefix: this.keyPrefix,
      retryStrategy: (tries) => Math.min(tries * 50, RECONNECT_MS),
      ...options,
    });
    // ioredis prints an error for which nobody listens.
    connection.on('error', () => undefined);
    this.opened.push(connection);
    return connection;
  }

  private logAbsence(client: Redis): void {
    client.on('error', (error) => {
      if (!this.isAway) this.logger.warn(`Redis is unavailable (${reasonOf(error)}); continuing without it`);
      this.isAway = true;
    });
    client.on('ready', () => {
      if (this.isAway) this.logger.log('Redis is available again');
      this.isAway = false;
    });
  }
}

/** Names a failure without the address, which may hold a password. */
function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no answer';
}
