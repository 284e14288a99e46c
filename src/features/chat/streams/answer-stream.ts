import type { PlacedPiece } from '../model/tool-calls.js';
import type { TurnOutcome } from '../model/turn.js';

/** The most text that one event carries, in UTF-16 units: who comes late is told in pieces. */
const MAX_DELTA = 16_384;

/** How far somebody has read, within an attempt. */
export interface Position {
  readonly attempt: number;
  /** The UTF-16 offset behind the text that it has. */
  readonly offset: number;
  /** How much of the calls of tools it has, measured like their pieces. */
  readonly calls: number;
}

/** What may be told of an answer now. */
export interface Progress {
  readonly attempt: number;
  /** How long the text so far is, of this attempt, in UTF-16 units. */
  readonly length: number;
  /** A part of that text. */
  readonly slice: (from: number, to: number) => string;
  /** The piece of the calls of tools that comes at a place, of so many UTF-16 units at the most. */
  readonly piece: (from: number, most: number) => PlacedPiece | undefined;
  /** How much of them may be told, measured like their pieces. */
  readonly callsLength: number;
  /** The model that the text is of; what was asked for where nothing was written yet. */
  readonly model: string;
  /** How it ended, once that is committed. */
  readonly outcome: TurnOutcome | undefined;
}

/** How an answer is named. */
export interface AnswerIds {
  readonly conversationId: string;
  readonly answerId: string;
}

/** An answer that can be followed, wherever it is generated and whether it has ended or not. */
export interface AnswerStream extends AnswerIds {
  /** Parameters that the model did not take as they were asked for, as far as is known in this process. */
  readonly ignored?: readonly string[];
  snapshot(): Progress;
  /** Resolves when there may be something new since the last look, and at the latest when the signal aborts. */
  waitForChange(signal: AbortSignal): Promise<void>;
  /** Ends what following it takes. Called once for each time that it was given out. */
  close(): void;
}

/** What a follower of an answer is told. */
export type AnswerEvent = {
  /** Where in the answer one is behind it. */
  readonly position: Position;
} & (
  | { readonly type: 'delta'; readonly delta: string }
  | { readonly type: 'call'; readonly piece: PlacedPiece }
  /** The answer begins again: all deltas so far are void. */
  | { readonly type: 'restarted'; readonly model: string }
  | { readonly type: 'ended'; readonly outcome: TurnOutcome }
);

/**
 * The text from a position on and everything that follows, until the answer ends or the signal aborts. It holds no
 * queue: each follower reads the one text from where it is, so a slow one gets longer deltas and costs no memory.
 *
 * @param from where to begin; at the beginning of what there is without it
 */
export async function* followAnswer(
  source: AnswerStream,
  signal: AbortSignal,
  from?: Position,
): AsyncGenerator<AnswerEvent> {
  let seen = from ?? beginningOf(source);
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

/** Before the first word of what there is. */
export function beginningOf(source: AnswerStream): Position {
  return { attempt: source.snapshot().attempt, offset: 0, calls: 0 };
}

/** What a follower has to be told next, or undefined where it knows everything. */
function nextEvent(progress: Progress, seen: Position): AnswerEvent | undefined {
  const { attempt, length, callsLength, model, outcome } = progress;
  // Somebody who has more was told elsewhere what is not known here yet; or saw what a killed process took with it.
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

/** It never ends within a surrogate pair, whose halves cannot be sent apart. */
function nextPiece({ length, slice }: Progress, from: number): string {
  const end = Math.min(length, from + MAX_DELTA);
  const piece = slice(from, end);
  return end < length && /[\ud800-\udbff]$/.test(piece) ? piece.slice(0, -1) : piece;
}

/** The outcome, when there is one; undefined where the signal aborts before. */
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
