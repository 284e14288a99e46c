import { EventStreamError } from '../../../common/event-stream.js';
import { ProviderError, invalidResponseError } from '../../port/index.js';
import { BrokenBodyError } from '../../transport/broken-body.js';
import { NoResponseError } from '../../transport/post.js';

/**
 * Converts a failure to reach a host, or to read its response, to one of our kinds.
 * @throws the error itself if it is not the host's fault: a bug in our own code, or a refusal of the request
 */
export function toOpenAiError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof NoResponseError) {
    return new ProviderError('unreachable', 'The provider could not be reached.', { cause: error });
  }
  if (error instanceof EventStreamError) return invalidResponseError('one of its events is too large', error);
  if (error instanceof BrokenBodyError)
    return new ProviderError('broken_answer', error.message, { cause: error });
  throw error;
}
