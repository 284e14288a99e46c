import type { Content, FinishReason } from './script.js';
import type { Answer, ChatRequest, ToolCall } from './provider-protocol.js';

/** Splits a text into words, each with the white space before it; joined, they are the text again. */
export function splitWords(text: string): string[] {
  // Splits between the end of a word and white space. A pattern that matched the words themselves would
  // exhaust the stack on a word of millions of characters.
  return text === '' ? [] : text.split(/(?<=\S)(?=\s)/u);
}

/** Counts words, which stand in for tokens. */
export function countWords(text: string): number {
  return splitWords(text).filter((word) => word.trim() !== '').length;
}

/** Fills in the defaults of scripted content for one request. */
export function composeAnswer(content: Content, request: ChatRequest, id: string): Answer {
  const toolCalls = (content.toolCalls ?? []).map((call, index): ToolCall => ({
    id: call.id ?? `call_${String(index)}`,
    name: call.name,
    fragments: typeof call.arguments === 'string' ? [call.arguments] : call.arguments,
  }));
  const text = deltas(content.text ?? (toolCalls.length > 0 ? [] : request.lastUserText));
  const reasoning = deltas(content.reasoning ?? []);
  const finishReason: FinishReason = content.finishReason ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop');
  return {
    id,
    created: Math.floor(Date.now() / 1000),
    model: content.model ?? request.model,
    reasoning,
    text,
    toolCalls,
    finishReason,
    usage: usageOf(content, request, [...reasoning, ...text].join('')),
    usageInStream: request.usageInStream && content.ignoreUsageRequest !== true,
  };
}

function deltas(text: string | readonly string[]): readonly string[] {
  return typeof text === 'string' ? splitWords(text) : text;
}

function usageOf(content: Content, request: ChatRequest, output: string): Answer['usage'] {
  if (content.usage === 'none') return undefined;
  return (
    content.usage ?? {
      prompt_tokens: countWords(request.promptText),
      completion_tokens: countWords(output),
    }
  );
}
