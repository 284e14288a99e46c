import { type ChatRequest, getField } from './index.js';

/**
 * Values of a parameter in the canonical format. Hosts that use OpenAI's protocol may accept others of their
 * own.
 */
const WORDS = {
  response_format: new Set(['text', 'json_object', 'json_schema']),
  tool_choice: new Set(['auto', 'none', 'required']),
  reasoning_effort: new Set(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']),
} as const satisfies Record<string, ReadonlySet<string>>;

/**
 * Returns the first field of a request that only hosts using OpenAI's protocol can honor, because no other
 * protocol has a field for it: the deprecated fields for tools (`functions`, `function_call`), also in earlier
 * messages, and values that a host has invented.
 */
export function findOpenAiOnlyField(request: ChatRequest): string | undefined {
  const functions = getField(request, 'functions');
  if (Array.isArray(functions) && functions.length > 0) return 'functions';
  const call = getField(request, 'function_call');
  if (call && call !== 'none' && call !== 'auto') return 'function_call';
  return foreignWord(request) ?? foreignMessage(request);
}

function foreignWord({
  response_format: format,
  tool_choice: choice,
  reasoning_effort: effort,
}: ChatRequest) {
  if (format && !WORDS.response_format.has(format.type)) return 'response_format';
  if (typeof choice === 'string' && !WORDS.tool_choice.has(choice)) return 'tool_choice';
  return effort && !WORDS.reasoning_effort.has(effort) ? 'reasoning_effort' : undefined;
}

function foreignMessage({ messages }: ChatRequest): string | undefined {
  for (const [index, message] of messages.entries()) {
    if (message.role === 'function') return `messages.${index}.role`;
    if (getField(message, 'function_call')) return `messages.${index}.function_call`;
  }
  return undefined;
}
