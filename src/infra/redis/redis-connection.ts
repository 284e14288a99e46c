import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';

/** Location of our data in Redis. */
export interface RedisSettings {
  /** URL of Redis; undefined without Redis. */
  readonly redisUrl: string | undefined;
  /** Prefix of every key and channel; empty if this installation has Redis to itself. */
  readonly redisKeyPrefix: string;
}

/** Options that differ between the connections of a process. */
type Options =
  | Required<Pick<RedisOptions, 'autoResubscribe'>>
  | Required<Pick<RedisOptions, 'socketTimeout' | 'maxRetriesPerRequest'>>;

/**
 * Maximum wait for a response from Redis, in milliseconds. Then the caller continues without it and the connection is
 * closed: a hanging Redis costs one wait, because it gets no more commands until it has accepted a new connection.
 */
const ANSWER_TIMEOUT_MS = 500;

/** Maximum duration of connecting, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;

/** Idle time before the operating system probes whether the other end is still there, in milliseconds. */
const KEEP_ALIVE_MS = 5_000;

/** Maximum pause between two attempts to connect, in milliseconds: limits are shared again within a second. */
const RECONNECT_MS = 500;

/**
 * The connection that the whole process shares, if Redis is configured. Commands fail immediately while Redis is
 * unavailable.
 */
@Injectable()
export class RedisConnection implements OnApplicationShutdown {
  readonly client: Redis | undefined;
  private readonly logger = new Logger(RedisConnection.name);
  private readonly opened: Redis[] = [];
  private isAway = false;

  /**
   * @param keyPrefix prepended to the keys of every command; callers must prepend it to channels and patterns
   *   themselves
   */
  constructor(
    private readonly url: string | undefined,
    readonly keyPrefix = '',
  ) {
    this.client = this.open({ socketTimeout: ANSWER_TIMEOUT_MS, maxRetriesPerRequest: 0 });
    // Logged for this connection only; otherwise every connection would report the same outage.
    if (this.client !== undefined) this.logAbsence(this.client);
  }

  /** Returns true if Redis responds, or without Redis. */
  async answers(): Promise<boolean> {
    if (this.client === undefined) return true;
    return this.client.ping().then(
      () => true,
      () => false,
    );
  }

  /**
   * Waits until the connection is ready; without Redis, returns true immediately.
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

  /** Opens a separate connection for subscriptions, which can run no other commands; undefined without Redis. */
  subscriber(): Redis | undefined {
    return this.open({ autoResubscribe: false });
  }

  onApplicationShutdown(): void {
    for (const connection of this.opened) connection.disconnect();
  }

  private open(options: Options): Redis | undefined {
    if (this.url === undefined) return undefined;
    const connection = new Redis(this.url, {
      // Nothing that we send to Redis is still useful if it waits for Redis to come back.
      enableOfflineQueue: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepAlive: KEEP_ALIVE_MS,
      keyPrefix: this.keyPrefix,
      retryStrategy: (tries) => Math.min(tries * 50, RECONNECT_MS),
      ...options,
    });
    // ioredis prints errors that have no listener.
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

/** Returns the reason of a failure without the address, which may contain a password. */
function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no answer';
}
