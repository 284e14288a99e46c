import { Injectable, Logger } from '@nestjs/common';
import { type CallPiece, callsAfter, lengthOf, type ToolCall } from './tool-calls.js';
import { Broadcast, RedisConnection } from '../../infra/redis/index.js';

/** One thing that happened to an answer. */
export type LogEntry =
  /** `start` is the UTF-16 offset of the text before the delta, within the attempt. */
  | { readonly type: 'delta'; readonly attempt: number; readonly start: number; readonly delta: string }
  | (CallPiece & { readonly attempt: number })
  | { readonly type: 'restarted'; readonly attempt: number; readonly model: string }
  | { readonly type: 'ended' };

/** An entry where it stands in its log. */
export interface PlacedEntry {
  /** Behind which reading goes on. */
  readonly place: string;
  readonly entry: LogEntry;
}

/** An answer as far as a log has it. */
export interface LoggedText {
  readonly attempt: number;
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** Known where the log tells it. */
  readonly model?: string;
}

/** Before the first entry. */
export const LOG_START = '0';

/** How long a log outlives its last entry, in seconds: an answer goes on for minutes at the most between two. */
export const LOG_TTL_S = 3600;

/** The same for the log of an answer that has ended: its row has everything. */
const ENDED_TTL_S = 60;

/** Entries that are read in one go. */
const PAGE = 1000;

/**
 * What happened to running answers, as streams in Redis: other processes follow them there, and what a killed process
 * did not store is found there. Without Redis nothing is logged, and exactly one process runs.
 */
@Injectable()
export class AnswerLog {
  private readonly logger = new Logger('Turns');

  constructor(
    private readonly redis: RedisConnection,
    private readonly broadcast: Broadcast,
  ) {}

  /** Whether there is a Redis to log to; it may be away all the same. */
  get enabled(): boolean {
    return this.redis.client !== undefined;
  }

  /**
   * Writes entries and wakes whoever watches. Never rejects: an answer goes on without its log.
   * @returns whether they are all there; some may be where not, and may be written again, because each has its offset
   */
  async append(answerId: string, entries: readonly LogEntry[]): Promise<boolean> {
    const { client } = this.redis;
    if (client === undefined) return true;
    const key = keyOf(answerId);
    const ended = entries.some(({ type }) => type === 'ended');
    const pipeline = client.pipeline();
    for (const entry of merged(entries)) pipeline.xadd(key, '*', ...toFields(entry));
    pipeline.expire(key, ended ? ENDED_TTL_S : LOG_TTL_S);
    try {
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
      void this.broadcast.publish(channelOf(answerId), '');
      return true;
    } catch (error) {
      this.logger.debug({ err: error }, 'a piece of an answer is not in its log');
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
  async extend(answerId: string, known: LoggedText): Promise<LoggedText> {
    let text = known;
    let page: readonly PlacedEntry[];
    let last = LOG_START;
    do {
      page = await this.read(answerId, last);
      for (const { entry } of page) text = textAfter(text, entry) ?? text;
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

/** The text after an entry; undefined where the entry adds nothing to it, or a part before the entry is missing. */
export function textAfter(before: LoggedText, entry: LogEntry): LoggedText | undefined {
  if (entry.type === 'ended' || entry.attempt < before.attempt || isBeyond(before, entry)) return undefined;
  const { attempt } = entry;
  const isKnown = before.attempt === attempt;
  const known = isKnown ? before : { attempt, text: '', calls: [] };
  if (entry.type === 'restarted') return isKnown ? undefined : { ...known, model: entry.model };
  if (entry.type !== 'delta') {
    const calls = callsAfter(known.calls, entry);
    return calls && { ...known, calls };
  }
  const text = known.text.slice(0, entry.start) + entry.delta;
  return text.length > known.text.length ? { ...known, text } : undefined;
}

/** Whether a part of the text before the entry is missing, because Redis was away or has lost it. */
export function isBeyond(known: LoggedText, entry: LogEntry): boolean {
  if (entry.type === 'ended' || entry.type === 'restarted' || entry.attempt < known.attempt) return false;
  const same = entry.attempt === known.attempt;
  if (entry.type === 'delta') return entry.start > (same ? known.text.length : 0);
  return entry.at > (same ? lengthOf(known.calls) : 0);
}

const keyOf = (answerId: string): string => `parley:answer:${answerId}`;
const channelOf = (answerId: string): string => `answer:${answerId}`;

/** Deltas that follow each other as one. */
function merged(entries: readonly LogEntry[]): LogEntry[] {
  const result: LogEntry[] = [];
  for (const entry of entries) {
    const before = result.at(-1);
    if (
      entry.type === 'delta' &&
      before?.type === 'delta' &&
      before.attempt === entry.attempt &&
      before.start + before.delta.length === entry.start
    ) {
      result[result.length - 1] = { ...before, delta: before.delta + entry.delta };
    } else if (
      entry.type === 'arguments' &&
      before?.type === 'arguments' &&
      before.attempt === entry.attempt &&
      before.at + before.delta.length === entry.at
    ) {
      result[result.length - 1] = { ...before, delta: before.delta + entry.delta };
    } else result.push(entry);
  }
  return result;
}

/** An entry as the fields of an entry in Redis. */
function toFields(entry: LogEntry): string[] {
  switch (entry.type) {
    case 'delta':
      return ['attempt', String(entry.attempt), 'start', String(entry.start), 'delta', entry.delta];
    case 'call':
      return ['attempt', String(entry.attempt), 'at', String(entry.at), 'call', entry.id, 'name', entry.name];
    case 'arguments':
      return ['attempt', String(entry.attempt), 'at', String(entry.at), 'arguments', entry.delta];
    case 'restarted':
      return ['attempt', String(entry.attempt), 'model', entry.model];
    case 'ended':
      return ['ended', ''];
  }
}

function toEntry(fields: readonly string[]): LogEntry {
  // Names stand at even places; what a value says is no name.
  const valueOf = (name: string): string | undefined =>
    fields.find((_, index) => index % 2 === 1 && fields[index - 1] === name);
  const attempt = Number(valueOf('attempt'));
  const model = valueOf('model');
  const delta = valueOf('delta');
  if (delta !== undefined) return { type: 'delta', attempt, start: Number(valueOf('start')), delta };
  const at = Number(valueOf('at'));
  const id = valueOf('call');
  if (id !== undefined) return { type: 'call', attempt, at, id, name: valueOf('name') ?? '' };
  const argumentsDelta = valueOf('arguments');
  if (argumentsDelta !== undefined) return { type: 'arguments', attempt, at, delta: argumentsDelta };
  return model === undefined ? { type: 'ended' } : { type: 'restarted', attempt, model };
}
