import { Injectable, Logger } from '@nestjs/common';
import { Broadcast, RedisConnection } from '../../../infra/redis/index.js';
import {
  type LogEntry,
  type AnswerSnapshot,
  mergeEntries,
  applyEntry,
  toEntry,
  toFields,
} from './answer-entries.js';

/** An entry where it stands in its log. */
export interface PlacedEntry {
  /** Behind which reading goes on. */
  readonly place: string;
  readonly entry: LogEntry;
}

/** Before the first entry. */
export const LOG_START = '0';

/** Lifetime of a log after its last entry, in seconds: an answer pauses for minutes at most. */
export const LOG_TTL_S = 3600;

/** The same for the log of an answer that has ended: its row has everything. */
const ENDED_TTL_S = 60;

/** Entries that are read in one go. */
const PAGE = 1000;

/**
 * Logs of running answers, as streams in Redis: other processes follow them there, and what a killed process
 * did not store is found there. Without Redis nothing is logged, and exactly one process runs.
 */
@Injectable()
export class AnswerLog {
  private readonly logger = new Logger(AnswerLog.name);

  constructor(
    private readonly redis: RedisConnection,
    private readonly broadcast: Broadcast,
  ) {}

  /** True if Redis is configured; it may be away at the moment. */
  get enabled(): boolean {
    return this.redis.client !== undefined;
  }

  /**
   * Writes entries and wakes the followers. Never rejects: an answer goes on without its log.
   * @returns whether they are all there; some may be where not, and may be written again, because each has its offset
   */
  async append(answerId: string, entries: readonly LogEntry[]): Promise<boolean> {
    const { client } = this.redis;
    if (client === undefined) return true;
    const key = keyOf(answerId);
    const ended = entries.some(({ type }) => type === 'ended');
    const pipeline = client.pipeline();
    for (const entry of mergeEntries(entries)) pipeline.xadd(key, '*', ...toFields(entry));
    pipeline.expire(key, ended ? ENDED_TTL_S : LOG_TTL_S);
    try {
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
      void this.broadcast.publish(channelOf(answerId), '');
      return true;
    } catch (error) {
      this.logger.debug({ err: error }, 'could not append to the log of an answer');
      return false;
    }
  }

  /**
   * The entries behind a place, up to a page of them.
   * @throws whatever the connection throws while Redis is away
   */
  async read(answerId: string, after: string): Promise<PlacedEntry[]> {
    const from = after === LOG_START ? '-' : `(${after}`;
    const rows = (await this.redis.client?.xrange(keyOf(answerId), from, '+', 'COUNT', PAGE)) ?? [];
    return rows.map(([place, fields]) => ({ place, entry: toEntry(fields) }));
  }

  /**
   * The text that is known otherwise, and what the log has beyond it.
   * @throws whatever the connection throws while Redis is away
   */
  async extend(answerId: string, known: AnswerSnapshot): Promise<AnswerSnapshot> {
    let text = known;
    let page: readonly PlacedEntry[];
    let last = LOG_START;
    do {
      page = await this.read(answerId, last);
      for (const { entry } of page) text = applyEntry(text, entry) ?? text;
      last = page.at(-1)?.place ?? last;
    } while (page.length === PAGE);
    return text;
  }

  /**
   * Calls the listener when there may be new entries; one may be missed while Redis is away.
   * @returns ends it
   */
  watch(answerId: string, listener: () => void): () => void {
    return this.broadcast.listen(channelOf(answerId), listener);
  }
}

const keyOf = (answerId: string): string => `parley:answer:${answerId}`;
const channelOf = (answerId: string): string => `answer:${answerId}`;
