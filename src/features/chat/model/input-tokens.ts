import type { AnswerParameters } from './answer-parameters.js';

/**
 * Tokens reserved for an answer if the request sets no limit, and the maximum share of the context window that they
 * may take.
 */
const ANSWER_TOKENS = 4_096;
const ANSWER_PART = 1 / 4;

/**
 * Returns the maximum number of input tokens of a turn: the context window minus the answer, limited by the
 * configuration.
 * @param windowTokens context window of the model, in tokens
 * @param maxTokens `CONTEXT_MAX_TOKENS`
 */
export function maxInputTokens(
  windowTokens: number,
  maxTokens: number,
  { max_completion_tokens, max_tokens }: AnswerParameters,
): number {
  const answer =
    max_completion_tokens ?? max_tokens ?? Math.min(ANSWER_TOKENS, Math.floor(windowTokens * ANSWER_PART));
  return Math.min(maxTokens, Math.max(0, windowTokens - answer));
}
