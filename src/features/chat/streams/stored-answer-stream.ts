import { AppError } from '../../../common/errors.js';
import { hasGapBefore, type AnswerSnapshot, applyEntry } from './answer-entries.js';
import { type AnswerLog, LOG_START } from './answer-log.js';
import type { AnswerStream, AnswerProgress } from './answer-stream.js';
import type { AnswerState, StoredAnswer } from '../messages/answer.repository.js';
import { toolCallsLength, toolCallPieceAt, toToolCalls } from '../model/tool-calls.js';
import { FollowerDismissedError } from '../model/chat.errors.js';
import type { AnswerSources } from '../model/answer-sources.js';
import { type OmittedPages, toOmittedPages } from '../model/omitted-pages.js';
import { toStoredOutcome } from './stored-outcome.js';

/** Interval between reads of the row while the log has nothing new, in milliseconds. */
const POLL_INTERVAL_MS = 1_000;

/** Maximum outage of the database before followers get an error, in milliseconds. */
const MAX_OUTAGE_MS = 60_000;

/** Reads the row of an answer. */
export interface AnswerRowReader {
  state(): Promise<AnswerState | null>;
  read(): Promise<StoredAnswer | null>;
  /** Returns the sources of the answer; undefined if it is based on no collection. */
  sources(stored: StoredAnswer): Promise<AnswerSources | undefined>;
}

/**
 * An answer that another process generates or that has ended: read from its log if Redis has one, and from the
 * checkpoints in its row, whichever is further ahead.
 */
export class StoredAnswerStream implements AnswerStream {
  private storedSnapshot: AnswerSnapshot;
  private last = LOG_START;
  private stored: StoredAnswer | null;
  /** State of the row at the last read; undefined at first. */
  private lastState: AnswerState | undefined;
  private lookedAt = performance.now();
  private reachedAt = performance.now();
  private woken = Promise.withResolvers<null>();
  private forget: (() => void) | undefined;

  constructor(
    private readonly first: StoredAnswer,
    private readonly log: AnswerLog,
    private readonly row: AnswerRowReader,
    /** Aborts when this process dismisses its followers. */
    private readonly shutdownSignal: AbortSignal,
  ) {
    this.stored = first;
    this.storedSnapshot = textOf(first);
  }

  get conversationId(): string {
    return this.first.conversationId;
  }

  get answerId(): string {
    return this.first.id;
  }

  readOmittedPages(): Promise<readonly OmittedPages[] | undefined> {
    return Promise.resolve(toOmittedPages((this.stored ?? this.first).omittedPages));
  }

  readSources(): Promise<AnswerSources | undefined> {
    return this.row.sources(this.stored ?? this.first);
  }

  snapshot(): AnswerProgress {
    const { attempt, text, calls, model = this.first.model ?? '' } = this.storedSnapshot;
    const outcome = toStoredOutcome(this.stored, this.first);
    return {
      attempt,
      length: text.length,
      slice: text.slice.bind(text),
      piece: (from, most) => toolCallPieceAt(calls, from, most),
      callsLength: toolCallsLength(calls),
      model,
      outcome,
    };
  }

  /** @throws FollowerDismissedError once this process dismisses its followers */
  async waitForChange(signal: AbortSignal): Promise<void> {
    this.forget ??= this.log.watch(this.answerId, () => {
      this.woken.resolve(null);
    });
    // Read the log once before waiting: entries from before the subscription wake nobody. Read the row from time to
    // time anyway: a process that has lost the answer may still be writing to the log.
    const due = this.lookedAt + POLL_INTERVAL_MS - performance.now();
    if ((await this.readLog()) && due > 0) return;
    const { woken } = this;
    const wake = (): void => {
      woken.resolve(null);
    };
    const timer = setTimeout(wake, due > 0 ? POLL_INTERVAL_MS : 0);
    signal.addEventListener('abort', wake, { once: true });
    this.shutdownSignal.addEventListener('abort', wake, { once: true });
    try {
      if (!signal.aborted && !this.shutdownSignal.aborted) await woken.promise;
      this.woken = Promise.withResolvers();
      if (signal.aborted) return;
      if (this.shutdownSignal.aborted) throw new FollowerDismissedError();
      await this.readLog();
      if (performance.now() >= this.lookedAt + POLL_INTERVAL_MS) await this.poll();
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      this.shutdownSignal.removeEventListener('abort', wake);
    }
  }

  close(): void {
    this.forget?.();
  }

  /**
   * Reads new log entries. Stops before an entry whose text does not continue the known text: the next checkpoint
   * puts the missing part into the row, and reading continues from there.
   * @returns whether there was anything new
   */
  private async readLog(): Promise<boolean> {
    if (!this.log.enabled) return false;
    const before = this.last;
    for (const { entryId: place, entry } of await this.log
      .readEntries(this.answerId, this.last)
      .catch(() => [])) {
      if (hasGapBefore(this.storedSnapshot, entry)) break;
      if (entry.type === 'ended') this.lookedAt = Number.NEGATIVE_INFINITY;
      else this.storedSnapshot = applyEntry(this.storedSnapshot, entry) ?? this.storedSnapshot;
      this.last = place;
    }
    return this.last !== before;
  }

  /**
   * Checks the state of the row, and reads the row if it has changed. A short outage of the database ends no stream.
   */
  private async poll(): Promise<void> {
    try {
      const state = await this.row.state();
      const { lastState: seen } = this;
      const same =
        state?.generating === true && state.attempt === seen?.attempt && state.bytes === seen.bytes;
      if (!same) await this.readRow();
      // A change of the row since then is seen at the next check.
      this.lastState = state ?? undefined;
      this.reachedAt = performance.now();
    } catch (error) {
      const unavailable = error instanceof AppError && error.code === 'service_unavailable';
      if (!unavailable || performance.now() - this.reachedAt > MAX_OUTAGE_MS) throw error;
    }
    this.lookedAt = performance.now();
  }

  private async readRow(): Promise<void> {
    this.stored = await this.row.read();
    if (this.stored === null) return;
    const stored = textOf(this.stored);
    // Once the answer has ended, the row counts, even if the log had more.
    if (this.stored.status === 'generating') this.mergeSnapshot(stored);
    else this.storedSnapshot = stored;
  }

  private mergeSnapshot(text: AnswerSnapshot): void {
    const { attempt, text: known, calls } = this.storedSnapshot;
    if (text.attempt > attempt) this.storedSnapshot = text;
    if (text.attempt !== attempt) return;
    // The row and the log may each be ahead in text or in calls.
    if (text.text.length > known.length) this.storedSnapshot = { ...this.storedSnapshot, text: text.text };
    if (toolCallsLength(text.calls) > toolCallsLength(calls))
      this.storedSnapshot = { ...this.storedSnapshot, calls: text.calls };
  }
}

function textOf({ attempt, content: text, toolCalls, model }: StoredAnswer): AnswerSnapshot {
  return { attempt, text, calls: toToolCalls(toolCalls), ...(model !== null && { model }) };
}
