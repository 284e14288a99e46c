import { type AppError, asAppError } from '../../../common/errors.js';
import { type AttemptRecord, countTokens, ModelCallError, NO_USAGE } from '../../../llm/index.js';
import { NOTHING_FOUND } from '../../rag/index.js';
import { TurnInterruptedError } from '../model/chat.errors.js';
import type { LiveAnswer } from './live-answer.js';
import { type OutputCheck, OutputParseError } from './output-check.js';
import { generatedText } from '../model/tool-calls.js';
import {
  type FinishedAnswer,
  type TurnResult,
  STOPPED_FINISH_REASON,
  totalCost,
  type TurnOutcome,
} from '../model/turn.js';

/** A turn that has stopped generating. */
interface EndedRun {
  readonly live: LiveAnswer;
  readonly abort: AbortController;
  /** Checks the format of the answer; undefined if any text will do. */
  readonly check: OutputCheck | undefined;
  /** True if the user stopped it. */
  readonly stopped: boolean;
}

/** Returns the outcome of an answer that arrived in full: a failure if it does not have the requested format. */
export function toTurnOutcome(
  { check }: EndedRun,
  answer: Omit<FinishedAnswer, 'status' | 'completedAt'>,
): TurnOutcome {
  const error = formatError(answer, check);
  if (error === undefined) return { status: 'complete', ...answer, completedAt: new Date() };
  const { text, calls, model } = answer;
  return { status: 'failed', text, calls, model, error };
}

/** Runs the check. One that throws must not lose the usage of the answer. */
function formatError(
  answer: Omit<FinishedAnswer, 'status' | 'completedAt'>,
  check: OutputCheck | undefined,
): AppError | undefined {
  try {
    return check?.(answer);
  } catch (error) {
    return asAppError(error);
  }
}

/** Returns the result of a turn with an outcome. */
export function toTurnResult(
  outcome: TurnOutcome,
  { attemptNumber: attempt, providerData }: LiveAnswer,
  attempts: readonly AttemptRecord[],
): TurnResult {
  return {
    outcome,
    attempt,
    tokenCount: countTokens(generatedText(outcome)),
    attempts,
    providerData,
    dueTasks: [],
  };
}

/**
 * Returns the result of a turn whose answer is incomplete: it failed, was interrupted, or was stopped by its user.
 */
export function toAbortedResult({ live, abort, stopped }: EndedRun, error: AppError): TurnResult {
  const { text, calls, model } = live;
  const attempts = error instanceof ModelCallError ? error.attempts : [];
  if (!abort.signal.aborted)
    return toTurnResult({ status: 'failed', text, calls, model, error }, live, attempts);
  if (!stopped) {
    return toTurnResult(toInterruptedOutcome({ text, calls, model }), live, attempts);
  }
  return toTurnResult(
    {
      status: 'stopped',
      text,
      calls,
      model,
      finishReason: STOPPED_FINISH_REASON,
      usage: attempts.at(-1)?.usage ?? NO_USAGE,
      costMicroUsd: totalCost(attempts),
      warning: null,
      cached: false,
      completedAt: new Date(),
    },
    live,
    attempts,
  );
}

/**
 * Returns the result of a turn whose collections have no relevant passage. No model was called. The answer is a sentence,
 * so it is a failure if JSON was requested, like any other answer that is not the JSON.
 */
export function toNothingFoundResult({ live, check }: Pick<EndedRun, 'live' | 'check'>): TurnResult {
  live.append(NOTHING_FOUND);
  if (check !== undefined) {
    const error = new OutputParseError(
      'no passage of the collections is relevant to the question, so no model was called',
    );
    const { text, calls, model } = live;
    return toTurnResult({ status: 'failed', text, calls, model, error }, live, []);
  }
  const outcome: TurnOutcome = {
    status: 'complete',
    text: live.text,
    calls: [],
    model: live.model,
    finishReason: 'stop',
    usage: NO_USAGE,
    costMicroUsd: 0n,
    warning: null,
    cached: false,
    completedAt: new Date(),
  };
  return toTurnResult(outcome, live, []);
}

/** Returns the outcome of an answer that was interrupted, or whose ending could not be stored. */
export function toInterruptedOutcome({
  text,
  calls,
  model,
}: Pick<TurnOutcome, 'text' | 'calls' | 'model'>): TurnOutcome {
  return { status: 'interrupted', text, calls, model, error: new TurnInterruptedError() };
}
