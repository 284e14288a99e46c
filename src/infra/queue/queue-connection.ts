import { Logger } from '@nestjs/common';
import { type IQueueBackend, RedisQueueBackend } from 'bullmq';
import { connectionRefusal } from '../redis/index.js';

/** Matches the messages that ioredis uses for a lost connection without an error code. */
const LOST_CONNECTION = /^(Connection is closed|Socket timeout|connect ETIMEDOUT|Reached the max retries)/;

/** Minimum time between two warnings with the same message, in milliseconds. */
const REPEAT_MS = 60_000;

/** Maximum number of messages to remember. */
const MAX_MESSAGES = 20;

/** Connection state of a queue or a worker, and its error log. */
export class QueueConnection {
  private readonly logger = new Logger(QueueConnection.name);
  private readonly isRedis: boolean;
  private isReady = false;
  /** Times of the latest warnings by their messages, in milliseconds. */
  private readonly warnings = new Map<string, number>();

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
  get isUnavailable(): boolean {
    return this.isRedis && !this.isReady;
  }

  /**
   * Logs an error of the queue, unless it only repeats that Redis is unavailable, which `RedisConnection` logs once.
   * Warns once a minute of an error that is repeated: BullMQ retries for as long as it fails.
   */
  logError(error: Error): void {
    const line = { err: error, queue: this.queueName };
    if (this.isRedis && (isLostConnection(error) || connectionRefusal(error) !== undefined)) {
      this.logger.debug(line, 'the job queue has no connection to Redis; reconnecting');
    } else if (this.isRepeated(error)) {
      this.logger.debug(line, 'error in the job queue again; continuing');
    } else {
      this.logger.warn(line, 'error in the job queue; continuing');
    }
  }

  private isRepeated({ message }: Error): boolean {
    const now = performance.now();
    const last = this.warnings.get(message);
    if (last !== undefined && now - last < REPEAT_MS) return true;
    if (this.warnings.size >= MAX_MESSAGES) this.warnings.clear();
    this.warnings.set(message, now);
    return false;
  }
}

function isLostConnection(error: Error): boolean {
  return ('code' in error && typeof error.code === 'string') || LOST_CONNECTION.test(error.message);
}
