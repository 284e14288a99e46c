import type { LogEntry, AnswerSnapshot } from '../streams/answer-entries.js';
import type { AnswerLog } from '../streams/answer-log.js';
import type { AnswerStream, Progress } from '../streams/answer-stream.js';
import type { ChatChunk, ChatDelta, ProviderData } from '../../../llm/index.js';
import { stripNul } from '../../../common/stored-text.js';
import { TextBuffer } from '../model/text-buffer.js';
import {
  type CallPiece,
  ToolCallBuffer,
  lengthOf,
  pieceAt,
  type PlacedPiece,
  type ToolCall,
} from '../model/tool-calls.js';
import type { Turn, TurnOutcome } from '../model/turn.js';
import { SurrogateJoiner } from '../model/surrogate-joiner.js';

/**
 * Pieces are shown at most this often, in milliseconds: those that come sooner after the last are shown together. Each
 * costs a write to every follower and one to the log, and nobody reads that fast.
 */
const COALESCE_MS = 20;

/** A turn while this process runs it: the text so far and, at last, the outcome. */
export class LiveAnswer implements AnswerStream {
  private written = new TextBuffer();
  private called = new ToolCallBuffer();
  /** True once calls have come out of order: none is told any more before the end. */
  private callsWait = false;
  private characters = new SurrogateJoiner();
  private attempt = 1;
  private writer: string;
  private ended: TurnOutcome | undefined;
  /** The calls of the row, where somebody else has ended the answer. */
  private storedCalls: readonly ToolCall[] | undefined;
  private wake = Promise.withResolvers<null>();
  /** What other processes could tell as well, and followers here therefore may be told. */
  private held = false;
  private shown = { attempt: 1, length: 0, callsLength: 0 };
  /** When that was, on the clock of `performance`. */
  private shownAt = Number.NEGATIVE_INFINITY;
  private unlogged: LogEntry[] = [];
  /** Until what is on its way to the log is there or not: pieces that failed side by side would come back in disorder. */
  private flushing: NodeJS.Timeout | undefined;

  constructor(
    readonly turn: Turn,
    private readonly log: AnswerLog,
  ) {
    this.writer = turn.spec.model;
  }

  get conversationId(): string {
    return this.turn.conversationId;
  }

  get answerId(): string {
    return this.turn.answerId;
  }

  /** All text so far, of the attempt that is under way. */
  get text(): string {
    return this.written.toString();
  }

  /** How long that text is, in UTF-16 units. */
  get length(): number {
    return this.written.length;
  }

  /** The calls of tools so far. */
  get calls(): ToolCall[] {
    return this.called.all();
  }

  /** How much of them there is, measured like their pieces. */
  get callsLength(): number {
    return this.called.length;
  }

  /** Those that may be told while the answer runs: of calls out of order nobody could tell what comes next. */
  get callsInOrder(): ToolCall[] {
    return this.callsWait ? [] : this.calls;
  }

  /** Parameters that the answering model did not take as they were asked for. */
  ignored: readonly string[] = [];

  /** What only its provider understands of the answer. */
  providerData: ProviderData | undefined;

  /** The model that the text is of; what the turn asked for where nothing was written yet. */
  get model(): string {
    return this.writer;
  }

  /** The number of the attempt that the text is of. */
  get beginning(): number {
    return this.attempt;
  }

  /** Names the model that begins to write. */
  begin(model: string): void {
    this.writer = model;
  }

  /** Adds the text, calls and provider data of a chunk. */
  add({ content, refusal, tool_calls: calls, provider_data: data }: ChatDelta): void {
    if (content) this.append(stripNul(content));
    // A refusal takes the place of the answer, so it is shown as its text.
    if (refusal) this.append(stripNul(refusal));
    if (calls) this.call(calls);
    if (data) this.providerData = data;
  }

  /** Adds a piece of text. */
  append(piece: string): void {
    const delta = this.characters.after(piece);
    if (delta === '') return;
    const { attempt, length: start } = this;
    this.written.append(delta);
    this.record({ type: 'delta', attempt, start, delta });
  }

  /** Adds what a chunk says of calls of tools. */
  call(deltas: NonNullable<ChatChunk['choices'][number]['delta']['tool_calls']>): void {
    for (const delta of deltas) {
      const pieces = this.called.add(delta);
      if (pieces === undefined && !this.callsWait) this.showCallsAtTheEnd();
      else if (!this.callsWait) this.recordCalls(pieces ?? []);
    }
  }

  /** Drops the text: the answer begins again on another model. */
  restart(model: string): void {
    this.written = new TextBuffer();
    this.called = new ToolCallBuffer();
    this.callsWait = false;
    this.providerData = undefined;
    this.characters = new SurrogateJoiner();
    this.attempt += 1;
    this.writer = model;
    this.record({ type: 'restarted', attempt: this.attempt, model });
  }

  /**
   * Tells the outcome. Called once, after it is committed: the row has all of the text now.
   * @param stored what the row has where somebody else has ended the answer; followers go back to it
   */
  end(outcome: TurnOutcome, stored?: AnswerSnapshot): void {
    clearTimeout(this.flushing);
    if (stored !== undefined) {
      this.attempt = stored.attempt;
      this.written = new TextBuffer();
      this.written.append(stored.text);
      this.storedCalls = stored.calls;
    }
    this.ended = outcome;
    this.held = false;
    this.show();
    void this.log.append(this.answerId, [{ type: 'ended' }]);
  }

  snapshot(): Progress {
    const { attempt, length, callsLength } = this.shown;
    // Where the answer has begun again and that is not shown yet, there is nothing more to tell of the attempt before.
    const { written } = this;
    const slice = attempt === this.attempt ? written.slice.bind(written) : (): string => '';
    const piece = (from: number, most: number): PlacedPiece | undefined => {
      if (attempt !== this.attempt) return undefined;
      return this.storedCalls ? pieceAt(this.storedCalls, from, most) : this.called.pieceAt(from, most);
    };
    return { attempt, length, slice, piece, callsLength, model: this.writer, outcome: this.ended };
  }

  async waitForChange(signal: AbortSignal): Promise<void> {
    const gone = Promise.withResolvers<null>();
    const leave = (): void => {
      gone.resolve(null);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([this.wake.promise, gone.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** The turn goes on, whoever follows it. */
  close(): void {
    // Nothing is kept for a follower.
  }

  /** From now on nothing more is shown: the lease is in doubt, and with it whether the text will be what is stored. */
  hold(): void {
    // Where there is no log there is no other process, and nobody to take the answer away.
    this.held = this.log.enabled;
  }

  /** Shows what was held back. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    this.flushSoon();
  }

  private recordCalls(pieces: readonly CallPiece[]): void {
    const { attempt } = this;
    for (const piece of pieces) this.record({ ...piece, attempt });
  }

  /**
   * A model has gone on with a call after it had begun another. What was told of the calls is void: the text is told
   * again, and the calls when they are whole.
   */
  private showCallsAtTheEnd(): void {
    this.callsWait = true;
    this.attempt += 1;
    const { attempt, text } = this;
    this.record({ type: 'restarted', attempt, model: this.writer });
    if (text !== '') this.record({ type: 'delta', attempt, start: 0, delta: text });
  }

  /** Shows what is new: directly where no other process can be asked for it, else as soon as it is in the log. */
  private record(entry: LogEntry): void {
    if (this.log.enabled) this.unlogged.push(entry);
    this.flushSoon();
  }

  /** Shows what is new as soon as enough time has passed. */
  private flushSoon(): void {
    if (this.flushing !== undefined) return;
    const waitMs = Math.max(0, this.shownAt + COALESCE_MS - performance.now());
    if (waitMs === 0 && !this.log.enabled) this.show();
    else this.flushing = setTimeout(() => void this.flush(), waitMs);
  }

  private async flush(): Promise<void> {
    if (this.held || !this.log.enabled) {
      this.flushing = undefined;
      if (!this.held) this.show();
      return;
    }
    const entries = this.unlogged;
    this.unlogged = [];
    const { attempt, length } = this;
    const callsLength = this.callsWait ? 0 : this.callsLength;
    const logged = await this.log.append(this.answerId, entries);
    this.flushing = undefined;
    if (this.ended !== undefined) return;
    // They are shown all the same, and go before the next ones: the log must not have a gap.
    if (!logged) this.unlogged.unshift(...entries);
    this.shown = { attempt, length, callsLength };
    this.notify();
    if (this.unlogged.length > 0) this.flushSoon();
  }

  private show(): void {
    const { attempt, length } = this;
    const calls = this.storedCalls === undefined ? this.callsLength : lengthOf(this.storedCalls);
    this.shown = { attempt, length, callsLength: this.callsWait && this.ended === undefined ? 0 : calls };
    this.notify();
  }

  private notify(): void {
    this.shownAt = performance.now();
    this.wake.resolve(null);
    this.wake = Promise.withResolvers<null>();
  }
}
