import {
  type ChatCompletion,
  CompletionAssembler,
  parseReply,
  ProviderError,
  type CompleteAnswer,
} from '../../port/index.js';
import type { AnswerMetadata } from './chunk-normalizer.js';
import { readCompletion } from './completion-reader.js';
import { ChatStreamReader, isLineStream } from './chat-stream-reader.js';

/** Matches the beginning of a body that is an event stream, whatever its content type. */
const EVENT_STREAM = /^\s*(?:data|event|id|retry)?:/;

/**
 * Reads the body of a whole answer. One in the canonical format is passed on as its original text, others are
 * rewritten. An answer that was streamed although it should not be is assembled.
 * @param head metadata for an answer that has no id, time or model of its own
 * @throws ProviderError for an error with a success status, and for a value that is not an answer
 */
export function parseCompletionResponse(text: string, head: AnswerMetadata): Required<CompleteAnswer> {
  if (text.trim() === '') throw new ProviderError('broken_answer', "The provider's response is empty.");
  if (EVENT_STREAM.test(text) || isLineStream(text)) return written(assemble(text, head));
  const value = parseReply(text);
  const completion = readCompletion(value, head);
  return completion === value ? { completion, raw: text } : written(completion);
}

function written(completion: ChatCompletion): Required<CompleteAnswer> {
  return { completion, raw: JSON.stringify(completion) };
}

function assemble(text: string, head: AnswerMetadata): ChatCompletion {
  const reader = new ChatStreamReader(head);
  const assembler = new CompletionAssembler();
  for (const events of [reader.push(Buffer.from(text)), reader.end()]) {
    for (const event of events) if (event.type === 'chunk') assembler.add(event.chunk);
  }
  return assembler.completion();
}
