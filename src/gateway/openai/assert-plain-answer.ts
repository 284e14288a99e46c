import { AppError } from '../../common/errors.js';
import type { ChatCompletionBody } from './chat-completion-body.js';

/** Parameters of answers that do not consist of one text and its tool calls. */
const REFUSED = ['logprobs', 'audio', 'web_search_options', 'functions', 'function_call'] as const;

/**
 * Checks that the answer to a request will consist of one text and its tool calls.
 * @param field field or header that requires it
 * @throws AppError `invalid_request` that names the parameter because of which it would not
 */
export function assertPlainAnswer(body: ChatCompletionBody, field: string): void {
  if (typeof body.n === 'number' && body.n > 1) throw refused(field, 'n');
  for (const name of REFUSED) if (body[name]) throw refused(field, name);
}

function refused(field: string, name: string): AppError {
  const message = `${field} cannot be combined with '${name}'. Omit one of them.`;
  return new AppError('invalid_request', message, { param: name });
}
