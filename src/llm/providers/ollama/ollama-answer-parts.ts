import { getField, getStringField } from '../../port/index.js';

/**
 * Returns the text of a field that is a string in Ollama's API format. Proxies that translate from other formats
 * send a list of parts. Parts without text, and thoughts, are left out.
 */
export function readOllamaText(value: unknown): string {
  return partsOf(value)
    .map((part) => (typeof part === 'string' ? part : (getStringField(part, 'text') ?? '')))
    .join('');
}

/** Returns the thoughts among the parts of a content: `{"type":"thinking","thinking":"…"}`. */
export function readThinking(value: unknown): string {
  return partsOf(value)
    .map((part) => readOllamaText(getField(part, 'thinking')))
    .join('');
}

/** Returns the arguments of a tool call as JSON text: an object, or in other formats the text itself. */
export function toOllamaArguments(value: unknown): string {
  const text = typeof value === 'string' ? value.trim() : JSON.stringify(value ?? {});
  return text === '' ? '{}' : text;
}

function partsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}
