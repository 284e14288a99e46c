import {
  type ChatCompletion,
  CompletionAssembler,
  fieldOf,
  isErrorReport,
  parseReply,
  type ProviderEvent,
  toCount,
  unreadableAnswer,
} from '../../port/index.js';
import { toProviderErrorInStream } from './anthropic-errors.js';
import { MessageTranslator } from './from-anthropic-stream.js';

/**
 * Converts a whole message of the API format to the canonical one.
 * @param options the requested model, and the Unix time in seconds, which the format does not contain
 * @throws ProviderError for an error with a success status, and for a value that is not a message
 */
export function readMessage(
  text: string,
  options: { readonly model: string; readonly created: number },
): ChatCompletion {
  const message = readReport(text);
  const content = fieldOf(message, 'content');
  if (typeof message !== 'object' || message === null || !Array.isArray(content))
    throw unreadableAnswer('it is not a message');
  const translator = new MessageTranslator(options);
  const assembler = new CompletionAssembler();
  // Replay the message as a stream, so that all of the translator's rules apply to it too.
  for (const event of eventsOf(message, content)) add(assembler, translator.translate(event));
  if (!translator.finished) throw unreadableAnswer('it does not say why it ended');
  add(assembler, translator.lastChunk());
  return assembler.completion();
}

/**
 * Reads the response of the token counting route.
 * @throws ProviderError for an error with a success status, and for a value that is not a count
 */
export function readTokenCount(text: string): number {
  const count = toCount(fieldOf(readReport(text), 'input_tokens'));
  if (count === undefined) throw unreadableAnswer('it is not a token count');
  return count;
}

function readReport(text: string): unknown {
  const value = parseReply(text);
  if (isErrorReport(value)) throw toProviderErrorInStream(value);
  return value;
}

function* eventsOf(message: object, content: readonly unknown[]): Generator<object> {
  yield { type: 'message_start', message };
  for (const [index, content_block] of content.entries()) {
    yield { type: 'content_block_start', index, content_block };
    yield { type: 'content_block_stop', index };
  }
  yield { type: 'message_delta', delta: message };
}

function add(assembler: CompletionAssembler, events: readonly ProviderEvent[]): void {
  for (const event of events) if (event.type === 'chunk') assembler.add(event.chunk);
}
