import { ProviderError } from './provider-error.js';

/** Matches V8's messages for JSON that ends too early. */
const ENDS_EARLY = /^(?:Unexpected end of JSON input|Unterminated string in JSON)/;

/**
 * Parses a reply that should be JSON.
 * @throws ProviderError `broken_answer` if it was cut off, `unreadable_answer` if it is not JSON
 */
export function parseReply(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error instanceof Error ? error : { message: '' };
    if (ENDS_EARLY.test(message)) {
      throw new ProviderError('broken_answer', "The provider's answer broke off.", { cause: error });
    }
    throw invalidResponseError(
      text.trimStart().startsWith('<') ? 'it is an HTML or XML page' : 'it is not JSON',
      error,
    );
  }
}

/** Returns the error for a complete answer that cannot be used. */
export function invalidResponseError(why: string, cause?: unknown): ProviderError {
  return new ProviderError('unreadable_answer', `The provider's answer could not be parsed: ${why}.`, {
    cause,
  });
}
