import { Logger } from '@nestjs/common';
import { type IQueueBackend, RedisQueueBackend } from 'bullmq';

/** Matches the messages that ioredis uses for a lost connection without an error code. */
const LOST_CONNECTION = /^(Connection is closed|Socket timeout|connect ETIMEDOUT|Reached the max retries)/;

/** Connection state of a queue or a worker, and its error log. */
export class QueueConnection {
  private readonly logger = new Logger(QueueConnection.name);
  private readonly isRedis: boolean;
  private isReady = false;

  constructor(
    private readonly queueName: string,
    backend: IQueueBackend,
  ) {
    this.isRedis = backend instanceof RedisQueueBackend;
    backend.on('ready', () => {
      this.isReady = true;
    });
    backend.on('close', () => {
      this.isReady = false;
    });
  }

  /**
   * True if Redis cannot be reached. Commands then wait for its return indefinitely. Always false on PostgreSQL,
   * where they fail instead.
   */
  get isAway(): boolean {
    return this.isRedis && !this.isReady;
  }

  /**
   * Logs an error of the queue, unless it only repeats that Redis is unavailable, which `RedisConnection` logs once.
   */
  logError(error: Error): void {
    const line = { err: error, queue: this.queueName };
    if (this.isRedis && isLostConnection(error)) {
      this.logger.debug(line, 'the job queue has no connection');
    } else {
      this.logger.warn(line, 'error in the job queue; continuing');
    }
  }
}

function isLostConnection(error: Error): boolean {
  return ('code' in error && typeof error.code === 'string') || LOST_CONNECTION.test(error.message);
}
