import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';
import { connectionRefusal } from './connection-refusal.js';

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

/** Reason of a failure without an error. */
const CLOSED = 'it closed the connection';

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
  private isStopping = false;

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
    if (this.client === undefined) return;
    this.logAbsence(this.client);
    this.checkEvictionPolicy(this.client);
  }

  /** Returns true if Redis responds, or without Redis. */
  async isReachable(): Promise<boolean> {
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
    this.isStopping = true;
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

  /** Logs a warning about a Redis that may evict keys, each time that a connection shows another policy. */
  private checkEvictionPolicy(client: Redis): void {
    let logged = 'noeviction';
    client.on('ready', () => {
      void client.info('memory').then(
        (info) => {
          const policy = evictionPolicyIn(info) ?? logged;
          if (policy !== logged && policy !== 'noeviction') {
            this.logger.warn(
              `Redis evicts keys when its memory is full (maxmemory-policy ${policy}), which can lose jobs and limits; use noeviction`,
            );
          }
          logged = policy;
        },
        // A managed Redis may refuse the command. A lost connection is logged elsewhere.
        () => undefined,
      );
    });
  }

  private logAbsence(client: Redis): void {
    /** Reasons logged since the last time that Redis was available. */
    const logged = new Set<string>();
    let wasReady = false;
    client.on('error', (error) => {
      const refusal = connectionRefusal(error);
      // A lost connection is logged once, whatever its error; a refusal also later, because only people can end it.
      if (refusal === undefined ? logged.size > 0 : logged.has(refusal)) return;
      const reason = refusal ?? reasonOf(error);
      logged.add(reason);
      this.logger.warn(`Redis is unavailable (${reason}); continuing without it`);
    });
    client.on('close', () => {
      // The first attempt to reconnect usually fails with a better reason.
      const isExpected = wasReady || this.isStopping;
      wasReady = false;
      if (isExpected || logged.size > 0) return;
      logged.add(CLOSED);
      this.logger.warn(`Redis is unavailable (${CLOSED}); continuing without it`);
    });
    client.on('ready', () => {
      if (logged.size > 0) this.logger.log('Redis is available again');
      logged.clear();
      wasReady = true;
    });
  }
}

/**
 * Returns the policy by which a Redis evicts keys when its memory is full, from its reply to `INFO memory`; undefined if
 * the reply does not name it.
 */
function evictionPolicyIn(info: string): string | undefined {
  return /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
}

/** Returns the reason of a failure without the address, which may contain a password. */
function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no answer';
}
