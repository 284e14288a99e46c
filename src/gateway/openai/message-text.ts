import type { ChatMessage } from '../../llm/index.js';

/** Returns the text of a message, without images and files. */
export function messageText({ content }: ChatMessage): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
