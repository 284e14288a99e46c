import type { AnswerOptions } from './turn.js';

/** How freely a model chooses its words where nobody says. */
const DEFAULT_TEMPERATURE = 0.7;

/** What is asked for; where that is nothing, what the answer before was asked for with. */
export function optionsOver(asked: AnswerOptions, before: AnswerOptions | undefined): AnswerOptions {
  return {
    temperature: asked.temperature ?? before?.temperature ?? DEFAULT_TEMPERATURE,
    maxTokens: asked.maxTokens ?? before?.maxTokens,
  };
}

/** The options as they stand in the row of an answer. What cannot be read there was never asked for. */
export function toAnswerOptions(stored: unknown): AnswerOptions {
  const { temperature, maxTokens } = Object.assign({ temperature: undefined, maxTokens: undefined }, stored);
  return { temperature: numberOf(temperature), maxTokens: numberOf(maxTokens) };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
