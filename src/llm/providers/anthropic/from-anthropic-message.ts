import {
  type ChatCompletion,
  CompletionAssembler,
  getField,
  isErrorReport,
  parseReply,
  type ProviderEvent,
  getStringField,
  parseReplyCount,
  invalidResponseError,
} from '../../port/index.js';
import { toArguments } from './answer-blocks.js';
import { toAnthropicStreamError } from './anthropic-errors.js';
import { MessageTranslator } from './message-translator.js';

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
  if (!Array.isArray(getField(message, 'content'))) throw invalidResponseError('it is not a message');
  const translator = new MessageTranslator(options);
  const assembler = new CompletionAssembler();
  // Replay the message as a stream, so that all of the translator's rules apply to it too.
  for (const event of toStreamEvents(message)) add(assembler, translator.translate(event));
  if (!translator.finished) throw invalidResponseError('it does not say why it ended');
  add(assembler, translator.lastChunk());
  return assembler.completion();
}

/**
 * Reads the response of the token counting route.
 * @throws ProviderError for an error with a success status, and for a value that is not a count
 */
export function readTokenCount(text: string): number {
  const count = parseReplyCount(getField(readReport(text), 'input_tokens'));
  if (count === undefined) throw invalidResponseError('it is not a token count');
  return count;
}

function readReport(text: string): unknown {
  const value = parseReply(text);
  if (isErrorReport(value)) throw toAnthropicStreamError(value);
  return value;
}

/**
 * Yields the events of a stream with the same content as a whole message; none for a value that is not a message.
 */
export function* toStreamEvents(message: unknown): Generator<object> {
  const content = getField(message, 'content');
  if (typeof message !== 'object' || message === null || !Array.isArray(content)) return;
  yield {
    type: 'message_start',
    message: { ...message, content: [], stop_reason: null, stop_sequence: null },
  };
  for (const [index, block] of content.entries()) {
    const { start, deltas } = splitBlock(block);
    yield { type: 'content_block_start', index, content_block: start };
    for (const delta of deltas) yield { type: 'content_block_delta', index, delta };
    yield { type: 'content_block_stop', index };
  }
  const [stop_reason, stop_sequence, stop_details] = [
    getField(message, 'stop_reason') ?? null,
    getField(message, 'stop_sequence') ?? null,
    getField(message, 'stop_details'),
  ];
  const delta = { stop_reason, stop_sequence, ...(stop_details !== undefined && { stop_details }) };
  yield { type: 'message_delta', delta, usage: getField(message, 'usage') ?? {} };
  yield { type: 'message_stop' };
}

/** Splits a block into its start and its deltas, as a stream has them. Blocks of other types are not split. */
function splitBlock(block: unknown): { readonly start: unknown; readonly deltas: readonly object[] } {
  if (typeof block !== 'object' || block === null) return { start: block, deltas: [] };
  switch (getStringField(block, 'type')) {
    case 'text': {
      const text = getStringField(block, 'text') ?? '';
      return { start: { ...block, text: '' }, deltas: [{ type: 'text_delta', text }] };
    }
    case 'thinking': {
      const [thinking, signature] = [
        getStringField(block, 'thinking') ?? '',
        getStringField(block, 'signature') ?? '',
      ];
      return {
        start: { ...block, thinking: '', signature: '' },
        deltas: [
          { type: 'thinking_delta', thinking },
          { type: 'signature_delta', signature },
        ],
      };
    }
    case 'tool_use': {
      const partial_json = toArguments(getField(block, 'input'));
      return { start: { ...block, input: {} }, deltas: [{ type: 'input_json_delta', partial_json }] };
    }
    default:
      return { start: block, deltas: [] };
  }
}

function add(assembler: CompletionAssembler, events: readonly ProviderEvent[]): void {
  for (const event of events) if (event.type === 'chunk') assembler.add(event.chunk);
}
