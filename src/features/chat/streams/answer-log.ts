import { Injectable, Logger } from '@nestjs/common';
import { Broadcast, RedisConnection } from '../../../infra/redis/index.js';
import {
  type LogEntry,
  type AnswerSnapshot,
  mergeEntries,
  applyEntry,
  parseStreamFields,
  toStreamFields,
} from './answer-entries.js';

/** A log entry with its stream id. */
export interface StoredLogEntry {
  /** Id after which to continue reading. */
  readonly entryId: string;
  readonly entry: LogEntry;
}

/** Position before the first entry. */
export const LOG_START = '0';

/** Lifetime of a log after its last entry, in seconds. An answer pauses for minutes at most. */
export const LOG_TTL_S = 3600;

/** Lifetime of the log of an ended answer, in seconds: its row has everything. */
const ENDED_TTL_S = 60;

/** Number of entries to read at once. */
const PAGE = 1000;

/**
 * Logs of running answers, as Redis streams: other processes follow the answers there, and recovery finds there what
 * a killed process did not store. Without Redis nothing is logged, and there must be exactly one process.
 */
@Injectable()
export class AnswerLog {
  private readonly logger = new Logger(AnswerLog.name);

  constructor(
    private readonly redis: RedisConnection,
    private readonly broadcast: Broadcast,
  ) {}

  /** True if Redis is configured, even while it is unavailable. */
  get enabled(): boolean {
    return this.redis.client !== undefined;
  }

  /**
   * Appends entries and wakes the followers. Never rejects: an answer continues without its log.
   * @returns true if all entries were written; otherwise some may have been written, and all may be appended again,
   *   because each has its offset
   */
  async appendEntries(answerId: string, entries: readonly LogEntry[]): Promise<boolean> {
    const { client } = this.redis;
    if (client === undefined) return true;
    const key = keyOf(answerId);
    const ended = entries.some(({ type }) => type === 'ended');
    const pipeline = client.pipeline();
    for (const entry of mergeEntries(entries)) pipeline.xadd(key, '*', ...toStreamFields(entry));
    pipeline.expire(key, ended ? ENDED_TTL_S : LOG_TTL_S);
    this.broadcast.queueMessage(pipeline, channelOf(answerId), '');
    try {
      const replies = (await pipeline.exec()) ?? [];
      // The notification only speeds up what happens anyway, so its failure does not count.
      for (const [error] of replies.slice(0, -1)) if (error !== null) throw error;
      return true;
    } catch (error) {
      this.logger.debug(
        { err: error },
        'could not append to the log of an answer; will append it with the next part',
      );
      return false;
    }
  }

  /**
   * Reads the entries after a stream id, up to one page.
   * @throws the connection's error while Redis is unavailable
   */
  async readEntries(answerId: string, after: string): Promise<StoredLogEntry[]> {
    const from = after === LOG_START ? '-' : `(${after}`;
    const rows = (await this.redis.client?.xrange(keyOf(answerId), from, '+', 'COUNT', PAGE)) ?? [];
    return rows.map(([entryId, fields]) => ({ entryId, entry: parseStreamFields(fields) }));
  }

  /**
   * Extends a snapshot from another source with the entries that the log has beyond it.
   * @throws the connection's error while Redis is unavailable
   */
  async extendSnapshot(answerId: string, known: AnswerSnapshot): Promise<AnswerSnapshot> {
    let text = known;
    let page: readonly StoredLogEntry[];
    let last = LOG_START;
    do {
      page = await this.readEntries(answerId, last);
      for (const { entry } of page) text = applyEntry(text, entry) ?? text;
      last = page.at(-1)?.entryId ?? last;
    } while (page.length === PAGE);
    return text;
  }

  /**
   * Calls the listener when there may be new entries; a notification may be lost while Redis is unavailable.
   * @returns function that stops watching
   */
  watch(answerId: string, listener: () => void): () => void {
    return this.broadcast.subscribe(channelOf(answerId), listener);
  }
}

const keyOf = (answerId: string): string => `parley:answer:${answerId}`;
const channelOf = (answerId: string): string => `answer:${answerId}`;
