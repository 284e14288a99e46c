import { AppError } from '../../../common/errors.js';
import { stripNul } from '../../../common/stored-text.js';
import type { ModelCall } from '../../../llm/index.js';
import { compileOutputSchema, type OutputSchema } from './output-schema.js';
import type { FinishedAnswer } from '../model/turn.js';
import type { AnswerParameters } from '../model/answer-parameters.js';

/** Maximum length of an error message that quotes the answer, in characters. */
const MAX_REASON = 300;

/** Checks a finished answer against the requested format; returns an error if it does not match. */
export type OutputCheck = (
  answer: Pick<FinishedAnswer, 'text' | 'calls' | 'finishReason'>,
) => AppError | undefined;

/**
 * Returns the check for a response format; undefined if any text will do.
 * @throws InvalidRequestError if the schema of the format cannot be used
 */
export function compileOutputCheck(format: AnswerParameters['response_format']): OutputCheck | undefined {
  // Other types are specific to one host, which a turn may inherit; only that host knows what matches them.
  if (format?.type !== 'json_object' && format?.type !== 'json_schema') return undefined;
  const schema = format.type === 'json_schema' ? format.json_schema.schema : undefined;
  const misfit: OutputSchema = schema === undefined ? misfitOfObject : compileOutputSchema(schema);
  return ({ text, calls, finishReason }) => {
    // An answer with tool calls continues after their results.
    if (calls.length > 0) return undefined;
    const parsed = parse(text);
    const reason = parsed === undefined ? brokenBecause(finishReason) : misfit(parsed.value);
    return reason === undefined ? undefined : new OutputParseError(reason);
  };
}

/**
 * Returns a predicate that keeps answers in the wrong format out of the cache, so that an equal question asks the
 * model again.
 */
export function toCachePredicate(check: OutputCheck): NonNullable<ModelCall['mayCache']> {
  return ({ choices }) =>
    choices.every(
      ({ message, finish_reason: finishReason }) =>
        (message.tool_calls ?? []).length > 0 ||
        check({ text: message.content ?? '', calls: [], finishReason }) === undefined,
    );
}

/** Reports an answer that is not the requested JSON. The answer is stored, and billed like any other. */
export class OutputParseError extends AppError {
  constructor(reason: string) {
    // The quoted part of an answer may contain anything.
    const shown = stripNul(reason).toWellFormed().slice(0, MAX_REASON).toWellFormed();
    super(
      'output_parse_error',
      `The answer is not the JSON that response_format requires: ${shown}. It is stored unchanged; regenerate it with POST /api/v1/conversations/{id}/messages/{message_id}/regenerate.`,
      { retryable: false },
    );
  }
}

function brokenBecause(finishReason: string): string {
  return finishReason === 'length' ? 'it was cut off at its token limit' : 'it cannot be parsed';
}

function misfitOfObject(value: unknown): string | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? undefined : 'it is not an object';
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
