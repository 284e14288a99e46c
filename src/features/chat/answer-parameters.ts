import type { AnswerParameters } from './turn.js';

/**
 * The parameters of an answer that goes on after calls of tools. Whoever forces a call forces one, or the model would
 * call for ever.
 */
export function parametersAfterTools(before: AnswerParameters): AnswerParameters {
  const { tool_choice: choice, ...rest } = before;
  return choice === 'none' ? before : rest;
}

/** The parameters as they stand in the row of an answer; they were checked when they came. */
export function toAnswerParameters(stored: unknown): AnswerParameters {
  return isParameters(stored) ? stored : {};
}

function isParameters(value: unknown): value is AnswerParameters {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
