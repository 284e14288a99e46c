import type { ChatMessage } from '../port/index.js';

type UserMessage = Extract<ChatMessage, { role: 'user' }>;

/**
 * Joins consecutive messages of one role, such as questions whose answers failed, or a summary and the question
 * after it. Chat templates (Mistral's, Gemma's) refuse a request whose roles do not alternate. An answer that
 * calls tools or contains data that only its provider understands stays unchanged.
 */
export function joinNeighbors(messages: readonly ChatMessage[]): ChatMessage[] {
  const joined: ChatMessage[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    const both = last === undefined ? undefined : join(last, message);
    if (both === undefined) joined.push(message);
    else joined[joined.length - 1] = both;
  }
  return joined;
}

function join(one: ChatMessage, other: ChatMessage): ChatMessage | undefined {
  if (one.role === 'user' && other.role === 'user') {
    return one.name === other.name ? { ...one, content: joinContent(one.content, other.content) } : undefined;
  }
  const plain = isPlainAnswer(one) && isPlainAnswer(other);
  return plain ? { role: 'assistant', content: `${one.content}\n\n${other.content}` } : undefined;
}

function joinContent(one: UserMessage['content'], other: UserMessage['content']): UserMessage['content'] {
  if (typeof one === 'string' && typeof other === 'string') return `${one}\n\n${other}`;
  return [...partsOf(one), ...partsOf(other)];
}

function partsOf(content: UserMessage['content']) {
  return typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content;
}

function isPlainAnswer(
  message: ChatMessage,
): message is ChatMessage & { role: 'assistant'; content: string } {
  return (
    message.role === 'assistant' &&
    typeof message.content === 'string' &&
    message.tool_calls === undefined &&
    message.provider_data === undefined
  );
}
