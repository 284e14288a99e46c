import {
  type ChatCompletion,
  CompletionAssembler,
  parseReply,
  ProviderError,
  type WholeAnswer,
} from '../../port/index.js';
import type { AnswerHead } from './chunk-normaliser.js';
import { toCompletion } from './completion-reader.js';
import { ChatStreamReader } from './openai-stream.js';

/** Beginning of a body that is a stream of events, whatever its content type says. */
const EVENT_STREAM = /^\s*(?:data|event|id|retry)?:/;

/**
 * Reads the body of a whole answer. One in the canonical format is passed on as the text that it came in, others are
 * written anew; an answer that was streamed although it was wanted whole is put together.
 * @param head what the answer gets if it has no id, time or model of its own
 * @throws ProviderError for an error with a good status, and for what is no answer
 */
export function readWholeReply(text: string, head: AnswerHead): Required<WholeAnswer> {
  if (text.trim() === '') throw new ProviderError('broken_answer', "The provider's response is empty.");
  if (EVENT_STREAM.test(text)) return written(assemble(text, head));
  const value = parseReply(text);
  const completion = toCompletion(value, head);
  return completion === value ? { completion, raw: text } : written(completion);
}

function written(completion: ChatCompletion): Required<WholeAnswer> {
  return { completion, raw: JSON.stringify(completion) };
}

function assemble(text: string, head: AnswerHead): ChatCompletion {
  const reader = new ChatStreamReader(head);
  const assembler = new CompletionAssembler();
  for (const events of [reader.push(Buffer.from(text)), reader.end()]) {
    for (const event of events) if (event.type === 'chunk') assembler.add(event.chunk);
  }
  return assembler.completion();
}
