import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';

/** What the connections of a process differ in. */
type Options =
  | Required<Pick<RedisOptions, 'autoResubscribe'>>
  | Required<Pick<RedisOptions, 'commandTimeout' | 'maxRetriesPerRequest'>>;

/** How long a command waits for its answer, in milliseconds. Whoever asks goes on without Redis then. */
const COMMAND_TIMEOUT_MS = 500;

/** Longest pause between two tries to connect, in milliseconds: limits are shared again within a second. */
const RECONNECT_MS = 500;

/** The connection that the whole process shares, where there is Redis. A command fails at once while it is away. */
@Injectable()
export class RedisConnection implements OnApplicationShutdown {
  readonly client: Redis | undefined;
  private readonly logger = new Logger('Redis');
  private readonly opened: Redis[] = [];
  private away = false;

  constructor(private readonly url: string | undefined) {
    this.client = this.open({ commandTimeout: COMMAND_TIMEOUT_MS, maxRetriesPerRequest: 0 });
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
