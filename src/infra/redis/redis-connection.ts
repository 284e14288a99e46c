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
  private readonly logger = new Logger('Redis');
  private readonly opened: Redis[] = [];
  private away = false;

  /** @param keyPrefix is put before the keys of every command; channels and patterns need it from their caller */
  constructor(
    private readonly url: string | undefined,
    readonly keyPrefix = '',
  ) {
    this.client = this.open({ socketTimeout: ANSWER_TIMEOUT_MS, maxRetriesPerRequest: 0 });
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
    connection.on('error', (error) => {
      if (!this.away) this.logger.warn({ err: error }, 'Redis is away; going on without it');
      this.away = true;
    });
    connection.on('ready', () => {
      if (this.away) this.logger.log('Redis is back');
      this.away = false;
    });
    this.opened.push(connection);
    return connection;
  }
}
