import {
  type ChatCompletion,
  CompletionAssembler,
  fieldOf,
  ProviderError,
  type ProviderEvent,
  textField,
} from '../../port/index.js';
import { toProviderErrorInStream } from './anthropic-errors.js';
import { MessageTranslator } from './from-anthropic-stream.js';

/**
 * A whole message of the wire in the common tongue.
 * @param options the model that was asked for, and the Unix time in seconds, which the wire does not tell
 * @throws ProviderError where it is none, is an error with a good status, or does not say why it ended
 */
export function readMessage(
  text: string,
  options: { readonly model: string; readonly created: number },
): ChatCompletion {
  const message = parse(text);
  if (textField(message, 'type') === 'error') throw toProviderErrorInStream(message);
  const content = fieldOf(message, 'content');
  if (message === undefined || !Array.isArray(content)) throw noAnswer();
  const translator = new MessageTranslator(options);
  const assembler = new CompletionAssembler();
  // The same words in one piece: whatever the translator knows of a stream holds for them too.
  for (const event of eventsOf(message, content)) add(assembler, translator.translate(event));
  if (!translator.finished) throw noAnswer();
  add(assembler, translator.lastChunk());
  return assembler.completion();
}

/** The answer of the route that counts. @throws ProviderError where it is none */
export function readTokenCount(text: string): number {
  const count = fieldOf(parse(text), 'input_tokens');
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count;
  throw noAnswer();
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

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function noAnswer(): ProviderError {
  return new ProviderError('broken_answer', 'The provider answered with something that is no answer.');
}
