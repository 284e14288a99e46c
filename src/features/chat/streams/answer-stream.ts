import type { PositionedPiece } from '../model/tool-calls.js';
import type { AnswerSources } from '../model/answer-sources.js';
import type { OmittedPages } from '../model/omitted-pages.js';
import type { TurnOutcome } from '../model/turn.js';

/** Maximum text of one event, in UTF-16 units: a late follower gets a long text in pieces. */
const MAX_DELTA = 16_384;

/** A follower's reading position within an attempt. */
export interface AnswerPosition {
  readonly attempt: number;
  /** UTF-16 offset of the end of the text that it has read. */
  readonly offset: number;
  /** Length of the tool calls that it has read, measured like their pieces. */
  readonly calls: number;
}

/** The part of an answer that may be shown now. */
export interface AnswerProgress {
  readonly attempt: number;
  /** Length of the text so far in this attempt, in UTF-16 units. */
  readonly length: number;
  /** Returns the text of this attempt from one UTF-16 offset to another. */
  readonly slice: (from: number, to: number) => string;
  /** Returns the piece of the tool calls at a position, of at most `most` UTF-16 units. */
  readonly piece: (from: number, most: number) => PositionedPiece | undefined;
  /** Length of the tool calls that may be shown, measured like their pieces. */
  readonly callsLength: number;
  /** The model that wrote the text; the requested one if there is no text yet. */
  readonly model: string;
  /** The outcome, once it is committed. */
  readonly outcome: TurnOutcome | undefined;
}

/** Ids of an answer. */
export interface AnswerIds {
  readonly conversationId: string;
  readonly answerId: string;
}

/** An answer that can be followed, whether it is still being generated (in any process) or has ended. */
export interface AnswerStream extends AnswerIds {
  /** Parameters that the model did not accept as requested, as far as this process knows. */
  readonly ignored?: readonly string[];
  /**
   * Returns the documents that were not sent to the model in full, as soon as that is known; undefined if the question
   * has no files, if that will never be known, or when the signal aborts.
   */
  readOmittedPages(signal: AbortSignal): Promise<readonly OmittedPages[] | undefined>;
  /**
   * Returns the sources of the answer, as soon as they are known; undefined if it is based on no collection, if they will
   * never be known, or when the signal aborts.
   */
  readSources(signal: AbortSignal): Promise<AnswerSources | undefined>;
  snapshot(): AnswerProgress;
  /** Resolves when there may be something new since the last snapshot, or when the signal aborts. */
  waitForChange(signal: AbortSignal): Promise<void>;
  /** Releases the resources of a follower. Called once for each time that the stream was handed out. */
  close(): void;
}

/** An event that a follower of an answer receives. */
export type AnswerEvent = {
  /** Position in the answer after the event. */
  readonly position: AnswerPosition;
} & (
  | { readonly type: 'delta'; readonly delta: string }
  | { readonly type: 'call'; readonly piece: PositionedPiece }
  /** The answer restarts: all deltas so far are void. */
  | { readonly type: 'restarted'; readonly model: string }
  | { readonly type: 'ended'; readonly outcome: TurnOutcome }
);

/**
 * Yields the text from a position on and everything after it, until the answer ends or the signal aborts. There is
 * no queue: each follower reads the same text from its own position, so a slow one gets longer deltas and costs no
 * memory.
 * @param from where to begin; defaults to the beginning of the current attempt
 */
export async function* followAnswer(
  source: AnswerStream,
  signal: AbortSignal,
  from?: AnswerPosition,
): AsyncGenerator<AnswerEvent> {
  let seen = from ?? startPosition(source);
  try {
    while (!signal.aborted) {
      const event = nextEvent(source.snapshot(), seen);
      if (event === undefined) {
        await source.waitForChange(signal);
        continue;
      }
      seen = event.position;
      yield event;
      if (event.type === 'ended') return;
    }
  } finally {
    source.close();
  }
}

/** Returns the position before the first text of the current attempt. */
export function startPosition(source: AnswerStream): AnswerPosition {
  return { attempt: source.snapshot().attempt, offset: 0, calls: 0 };
}

/** Returns the next event for a follower; undefined if it is up to date. */
function nextEvent(progress: AnswerProgress, seen: AnswerPosition): AnswerEvent | undefined {
  const { attempt, length, callsLength, model, outcome } = progress;
  // A follower that is ahead has read from another process what is not known here yet, or text that was lost with a
  // killed process.
  if (outcome === undefined && attempt < seen.attempt) return undefined;
  const tooFar = outcome !== undefined && (seen.offset > length || seen.calls > callsLength);
  if (attempt !== seen.attempt || tooFar)
    return { type: 'restarted', position: { attempt, offset: 0, calls: 0 }, model };
  if (length > seen.offset) {
    const delta = nextPiece(progress, seen.offset);
    return { type: 'delta', position: { ...seen, offset: seen.offset + delta.length }, delta };
  }
  if (callsLength > seen.calls) {
    const piece = progress.piece(seen.calls, Math.min(MAX_DELTA, callsLength - seen.calls));
    if (piece !== undefined) return { type: 'call', position: { ...seen, calls: piece.end }, piece };
  }
  return outcome && { type: 'ended', position: seen, outcome };
}

/** Returns the next piece of text. Never ends within a surrogate pair, whose halves cannot be sent separately. */
function nextPiece({ length, slice }: AnswerProgress, from: number): string {
  const end = Math.min(length, from + MAX_DELTA);
  const piece = slice(from, end);
  return end < length && /[\ud800-\udbff]$/.test(piece) ? piece.slice(0, -1) : piece;
}

/** Waits for the outcome; undefined if the signal aborts first. */
export async function awaitOutcome(
  source: AnswerStream,
  signal: AbortSignal,
): Promise<TurnOutcome | undefined> {
  try {
    while (!signal.aborted) {
      const { outcome } = source.snapshot();
      if (outcome !== undefined) return outcome;
      await source.waitForChange(signal);
    }
    return undefined;
  } finally {
    source.close();
  }
}
