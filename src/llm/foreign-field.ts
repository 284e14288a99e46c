import { type ChatRequest, fieldOf } from './port/index.js';

/** Types of `response_format` that the canonical format has; hosts have others of their own. */
const RESPONSE_FORMATS: ReadonlySet<string> = new Set(['text', 'json_object', 'json_schema']);

/**
 * Names the first field of a request that only hosts of OpenAI's protocol can honour, since no other one has a place
 * for it: the older words for tools (`functions`, `function_call`), also in earlier messages, and formats of answers
 * that a host has made up.
 */
export function foreignField(request: ChatRequest): string | undefined {
  const { response_format: format, messages } = request;
  const functions = fieldOf(request, 'functions');
  if (Array.isArray(functions) && functions.length > 0) return 'functions';
  const choice = fieldOf(request, 'function_call');
  if (choice && choice !== 'none' && choice !== 'auto') return 'function_call';
  if (format && !RESPONSE_FORMATS.has(format.type)) return 'response_format';
  for (const [index, message] of messages.entries()) {
    if (message.role === 'function') return `messages.${index}.role`;
    if (fieldOf(message, 'function_call')) return `messages.${index}.function_call`;
  }
  return undefined;
}
