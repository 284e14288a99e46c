import { InvalidRequestError } from '../../common/errors.js';
import { assertPlainAnswer } from './assert-plain-answer.js';
import type { ChatCompletionBody } from './chat-completion-body.js';
import { messageText } from './message-text.js';

/** Maximum length of a question to collections, as in the native API. */
const MAX_QUESTION_LENGTH = 5_000;

/** The collections that the answer to a request is based on. */
export interface CompletionRetrieval {
  /** Ids or names. */
  readonly collections: readonly string[];
  /** Text that passages are searched for: that of the last user message. */
  readonly question: string;
}

/**
 * Returns the collections of a request; undefined if it names none, or only has the results of tools: they continue an
 * answer that has its passages already.
 * @throws InvalidRequestError, AppError `invalid_request` if its answer cannot be based on them
 */
export function toRetrieval(body: ChatCompletionBody): CompletionRetrieval | undefined {
  const { collection, messages } = body;
  if (collection === undefined || collection === null) return undefined;
  // Markers are removed from the text only.
  assertPlainAnswer(body, 'collection');
  const last = messages.findLast(({ role }) => role === 'user');
  if (last === undefined && messages.at(-1)?.role === 'tool') return undefined;
  const question = last === undefined ? '' : messageText(last);
  if (question.trim() === '') throw invalidQuestion('must have a user message with text');
  if (question.length > MAX_QUESTION_LENGTH)
    throw invalidQuestion(`must have at most ${MAX_QUESTION_LENGTH} characters in the last user message`);
  return { collections: typeof collection === 'string' ? [collection] : collection, question };
}

/** Returns true if a request is for JSON, so that an answer in words is a refusal, as OpenAI's clients know it. */
export function requestsJson({ response_format: format }: ChatCompletionBody): boolean {
  return format?.type === 'json_object' || format?.type === 'json_schema';
}

function invalidQuestion(rule: string): InvalidRequestError {
  const message = `messages ${rule} if the answer is based on a collection`;
  return new InvalidRequestError(`${message}.`, [{ field: 'messages', message }]);
}
