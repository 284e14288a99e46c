import { EventStreamError } from '../../../common/event-stream.js';
import { ProviderError, unreadableAnswer } from '../../port/index.js';
import { NoAnswerError } from '../../transport/post.js';

/** Returns how reaching a host, or reading its answer, failed, as one of our kinds. */
export function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof NoAnswerError) {
    return new ProviderError('unreachable', 'The provider could not be reached.', { cause: error });
  }
  if (error instanceof EventStreamError) return unreadableAnswer('one of its events is too large', error);
  return new ProviderError('broken_answer', 'The connection to the provider broke off.', { cause: error });
}
