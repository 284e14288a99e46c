import type { LogEntry, AnswerSnapshot } from '../streams/answer-entries.js';
import type { AnswerLog } from '../streams/answer-log.js';
import type { AnswerStream, AnswerProgress } from '../streams/answer-stream.js';
import type { ChatChunk, ChatDelta, ProviderData } from '../../../llm/index.js';
import { stripNul } from '../../../common/stored-text.js';
import { TextBuffer } from '../model/text-buffer.js';
import {
  type CallPiece,
  ToolCallBuffer,
  toolCallsLength,
  toolCallPieceAt,
  type PositionedPiece,
  type ToolCall,
} from '../model/tool-calls.js';
import type { AnswerSources } from '../model/answer-sources.js';
import type { OmittedPages } from '../model/omitted-pages.js';
import type { Turn, TurnOutcome } from '../model/turn.js';
import { LiveSources } from './live-sources.js';
import { untilAborted } from '../../../common/until-aborted.js';
import { SurrogateJoiner } from '../model/surrogate-joiner.js';

/**
 * Minimum interval between updates, in milliseconds: pieces that arrive sooner are shown together. Each update costs
 * one write per follower and one to the log, and nobody reads that fast.
 */
const COALESCE_MS = 20;

/** A turn while this process runs it: the text so far and, once it has ended, the outcome. */
export class LiveAnswer implements AnswerStream {
  private textBuffer = new TextBuffer();
  private callBuffer = new ToolCallBuffer();
  /** True once calls have arrived out of order: no more of them are shown until the end. */
  private deferCalls = false;
  private characters = new SurrogateJoiner();
  private attempt = 1;
  private modelName: string;
  private ended: TurnOutcome | undefined;
  /** The calls in the row if another process has ended the answer. */
  private storedCalls: readonly ToolCall[] | undefined;
  private wake = Promise.withResolvers<null>();
  /**
   * True while nothing new may be shown. `shown` is the progress that followers here may see: only what other
   * processes could serve as well.
   */
  private isHeld = false;
  private shown = { attempt: 1, length: 0, callsLength: 0 };
  /** Time of the last update, as `performance.now()`. */
  private shownAt = Number.NEGATIVE_INFINITY;
  private unlogged: LogEntry[] = [];
  private omitted: readonly OmittedPages[] | undefined;
  /** Resolves once the omitted pages are known, or never will be. */
  private readonly contextKnown = Promise.withResolvers<null>();
  private readonly sources: LiveSources;
  /**
   * Pending or running flush. Log writes never overlap: if several failed at once, their entries would be put back
   * out of order.
   */
  private flushing: NodeJS.Timeout | undefined;

  constructor(
    readonly turn: Turn,
    private readonly log: AnswerLog,
  ) {
    this.modelName = turn.spec.model;
    this.sources = new LiveSources(turn.spec);
  }

  get conversationId(): string {
    return this.turn.conversationId;
  }

  get answerId(): string {
    return this.turn.answerId;
  }

  /** All text so far of the current attempt. */
  get text(): string {
    return this.textBuffer.toString();
  }

  /** Length of that text, in UTF-16 units. */
  get length(): number {
    return this.textBuffer.length;
  }

  /** Tool calls so far. */
  get calls(): ToolCall[] {
    return this.callBuffer.all();
  }

  /** Length of those calls, measured like their pieces. */
  get callsLength(): number {
    return this.callBuffer.length;
  }

  /**
   * The calls that may be shown while the answer runs: none if they arrived out of order, because no process could
   * tell what comes next.
   */
  get callsInOrder(): ToolCall[] {
    return this.deferCalls ? [] : this.calls;
  }

  /** Parameters that the answering model did not accept as requested. */
  ignored: readonly string[] = [];

  /** Data of the answer that only its provider understands. */
  providerData: ProviderData | undefined;

  /** The model that wrote the text; the requested one if there is no text yet. */
  get model(): string {
    return this.modelName;
  }

  /** Number of the current attempt. */
  get attemptNumber(): number {
    return this.attempt;
  }

  /** Sets the documents that are not sent to the model in full. */
  setOmittedPages(omitted: readonly OmittedPages[]): void {
    this.omitted = omitted;
    this.contextKnown.resolve(null);
  }

  async readOmittedPages(signal: AbortSignal): Promise<readonly OmittedPages[] | undefined> {
    if (this.turn.hasFiles) await untilAborted(this.contextKnown.promise, signal);
    return this.omitted;
  }

  /**
   * Sets the sources of the answer. Markers of others are removed from its text from now on.
   * @param read reads them for each follower, because their texts may be deleted meanwhile
   */
  setSources(count: number, read: () => Promise<AnswerSources>): void {
    this.sources.set(count, read);
  }

  readSources(signal: AbortSignal): Promise<AnswerSources | undefined> {
    return this.sources.read(signal);
  }

  /** Adds what was held back because it could have become a marker. Called when the model has ended. */
  endText(): void {
    this.append(this.sources.endText());
  }

  /** Sets the model that begins to write. */
  setModel(model: string): void {
    this.modelName = model;
  }

  /** Adds the text, calls and provider data of a chunk. */
  add({ content, refusal, tool_calls: calls, provider_data: data }: ChatDelta): void {
    if (content) this.append(this.sources.checkText(stripNul(content)));
    // A refusal replaces the answer, so it is shown as its text.
    if (refusal) {
      this.endText();
      this.append(stripNul(refusal));
    }
    if (calls) this.addToolCalls(calls);
    if (data) this.providerData = data;
  }

  append(piece: string): void {
    const delta = this.characters.push(piece);
    if (delta === '') return;
    const { attempt, length: start } = this;
    this.textBuffer.append(delta);
    this.record({ type: 'delta', attempt, start, delta });
  }

  /** Adds the tool call deltas of a chunk. */
  addToolCalls(deltas: NonNullable<ChatChunk['choices'][number]['delta']['tool_calls']>): void {
    for (const delta of deltas) {
      const pieces = this.callBuffer.add(delta);
      if (pieces === undefined && !this.deferCalls) this.showCallsAtTheEnd();
      else if (!this.deferCalls) this.recordCalls(pieces ?? []);
    }
  }

  /** Drops the text, because the answer restarts on another model. */
  restart(model: string): void {
    this.textBuffer = new TextBuffer();
    this.callBuffer = new ToolCallBuffer();
    this.deferCalls = false;
    this.providerData = undefined;
    this.characters = new SurrogateJoiner();
    this.sources.restart();
    this.attempt += 1;
    this.modelName = model;
    this.record({ type: 'restarted', attempt: this.attempt, model });
  }

  /**
   * Publishes the outcome. Called once, after it is committed: the row has the whole text by then.
   * @param stored contents of the row if another process has ended the answer; followers are reset to it
   */
  publishOutcome(outcome: TurnOutcome, stored?: AnswerSnapshot): void {
    clearTimeout(this.flushing);
    if (stored !== undefined) {
      this.attempt = stored.attempt;
      this.textBuffer = new TextBuffer();
      this.textBuffer.append(stored.text);
      this.storedCalls = stored.calls;
    }
    this.ended = outcome;
    this.contextKnown.resolve(null);
    this.sources.end();
    this.isHeld = false;
    this.show();
    void this.log.appendEntries(this.answerId, [{ type: 'ended' }]);
  }

  snapshot(): AnswerProgress {
    const { attempt, length, callsLength } = this.shown;
    // If the answer has restarted but the restart is not shown yet, there is nothing more to show of the previous
    // attempt.
    const { textBuffer: written } = this;
    const slice = attempt === this.attempt ? written.slice.bind(written) : (): string => '';
    const piece = (from: number, most: number): PositionedPiece | undefined => {
      if (attempt !== this.attempt) return undefined;
      return this.storedCalls
        ? toolCallPieceAt(this.storedCalls, from, most)
        : this.callBuffer.pieceAt(from, most);
    };
    return { attempt, length, slice, piece, callsLength, model: this.modelName, outcome: this.ended };
  }

  async waitForChange(signal: AbortSignal): Promise<void> {
    await untilAborted(this.wake.promise, signal);
  }

  /** Does nothing: the turn continues without followers. */
  close(): void {
    // There is no state per follower.
  }

  /** Stops showing new text: the lease is in doubt, so the stored text may turn out different. */
  hold(): void {
    // Without a log there is only one process, and no other that could take over the answer.
    this.isHeld = this.log.enabled;
  }

  /** Shows the text that was held back. */
  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.flushSoon();
  }

  private recordCalls(pieces: readonly CallPiece[]): void {
    const { attempt } = this;
    for (const piece of pieces) this.record({ ...piece, attempt });
  }

  /**
   * Handles a model that continues a call after it has begun another. The calls shown so far are void: the text is
   * shown again, and the calls at the end, once they are complete.
   */
  private showCallsAtTheEnd(): void {
    this.deferCalls = true;
    this.attempt += 1;
    const { attempt, text } = this;
    this.record({ type: 'restarted', attempt, model: this.modelName });
    if (text !== '') this.record({ type: 'delta', attempt, start: 0, delta: text });
  }

  /** Shows new content: at once if no other process can serve the answer, otherwise once it is in the log. */
  private record(entry: LogEntry): void {
    if (this.log.enabled) this.unlogged.push(entry);
    this.flushSoon();
  }

  /** Shows new content once the minimum interval has passed. */
  private flushSoon(): void {
    if (this.flushing !== undefined) return;
    const waitMs = Math.max(0, this.shownAt + COALESCE_MS - performance.now());
    if (waitMs === 0 && !this.log.enabled) this.show();
    else this.flushing = setTimeout(() => void this.flush(), waitMs);
  }

  private async flush(): Promise<void> {
    if (this.isHeld || !this.log.enabled) {
      this.flushing = undefined;
      if (!this.isHeld) this.show();
      return;
    }
    const entries = this.unlogged;
    this.unlogged = [];
    const { attempt, length } = this;
    const callsLength = this.deferCalls ? 0 : this.callsLength;
    const logged = await this.log.appendEntries(this.answerId, entries);
    this.flushing = undefined;
    if (this.ended !== undefined) return;
    // The entries are shown anyway, and are written before the next ones: the log must not have a gap.
    if (!logged) this.unlogged.unshift(...entries);
    this.shown = { attempt, length, callsLength };
    this.notify();
    if (this.unlogged.length > 0) this.flushSoon();
  }

  private show(): void {
    const { attempt, length } = this;
    const calls = this.storedCalls === undefined ? this.callsLength : toolCallsLength(this.storedCalls);
    this.shown = { attempt, length, callsLength: this.deferCalls && this.ended === undefined ? 0 : calls };
    this.notify();
  }

  private notify(): void {
    this.shownAt = performance.now();
    this.wake.resolve(null);
    this.wake = Promise.withResolvers<null>();
  }
}
