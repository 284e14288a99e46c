import type { ChatMessage, ProviderData } from '../../../llm/index.js';
import type { Part } from '../attachments/attachment.js';
import type { ContextMessage } from './context.repository.js';
import { type ToolCall, toToolCalls, toOpenAiToolCalls } from '../model/tool-calls.js';

/**
 * Converts stored messages to model messages, with attachments before the text of a question. Tool calls are sent
 * with their results or not at all: providers reject calls without results, results without calls, and both in a
 * request without tools. In the latter case they are sent as text, as are calls whose arguments are not a JSON
 * object.
 */
export function toChatMessages(
  path: readonly ContextMessage[],
  withTools: boolean,
  files: ReadonlyMap<string, readonly Part[]>,
): ChatMessage[] {
  return path.flatMap((message, index): ChatMessage[] => {
    switch (message.role) {
      case 'user':
        return [toQuestion(message, files.get(message.id))];
      case 'assistant':
        return toAnswer(message, resultsBehind(path, index), withTools);
      case 'tool':
        return toResult(message, withTools && callOf(path, index) !== undefined);
    }
  });
}

/** Adds passages of documents to the last question. They are data, so they are part of the user's message. */
export function withPassages(messages: readonly ChatMessage[], passages: string | undefined): ChatMessage[] {
  const last = messages.findLastIndex(({ role }) => role === 'user');
  if (passages === undefined) return [...messages];
  return messages.map((message, index) => {
    if (index !== last || message.role !== 'user') return message;
    const { content } = message;
    return typeof content === 'string'
      ? { ...message, content: `${passages}\n\nQuestion: ${content}` }
      : { ...message, content: [{ type: 'text', text: passages }, ...content] };
  });
}

function toQuestion({ content }: ContextMessage, files: readonly Part[] = []): ChatMessage {
  if (files.length === 0) return { role: 'user', content };
  return { role: 'user', content: [...files, { type: 'text', text: content }] };
}

function toAnswer(
  { content, toolCalls, providerData }: ContextMessage,
  results: ReadonlySet<string>,
  withTools: boolean,
): ChatMessage[] {
  const calls = toToolCalls(toolCalls);
  const answered = calls.length > 0 && calls.every((call) => results.has(call.id));
  if (answered && withTools && calls.every(isObjectText)) {
    return [
      {
        role: 'assistant',
        content: content === '' ? null : content,
        tool_calls: toOpenAiToolCalls(calls),
        ...(isProviderData(providerData) && { provider_data: providerData }),
      },
    ];
  }
  const words = answered ? [content, ...calls.map(inWords)].filter(Boolean).join('\n') : content;
  // The provider's signature covers the whole answer, including the calls.
  const data = calls.length === 0 && isProviderData(providerData) ? { provider_data: providerData } : {};
  return words === '' ? [] : [{ role: 'assistant', content: words, ...data }];
}

function toResult({ content, toolCallId }: ContextMessage, asResult: boolean): ChatMessage[] {
  if (asResult && toolCallId !== null) return [{ role: 'tool', tool_call_id: toolCallId, content }];
  return [{ role: 'user', content: `[Result of the tool call ${toolCallId ?? ''}]\n${content}` }];
}

function inWords({ id, name, arguments: given }: ToolCall): string {
  return `[Tool call ${id}: ${name}(${given})]`;
}

/** Returns the ids of the calls whose results directly follow an answer. */
function resultsBehind(path: readonly ContextMessage[], index: number): ReadonlySet<string> {
  const results = new Set<string>();
  for (const { role, toolCallId } of path.slice(index + 1)) {
    if (role !== 'tool' || toolCallId === null) break;
    results.add(toolCallId);
  }
  return results;
}

/** Returns the answer that a result belongs to, if it is on the path and is sent with its calls. */
function callOf(path: readonly ContextMessage[], index: number): ContextMessage | undefined {
  const before = path.slice(0, index).findLastIndex(({ role }) => role !== 'tool');
  const answer = path[before];
  if (answer?.role !== 'assistant') return undefined;
  const calls = toToolCalls(answer.toolCalls);
  const results = resultsBehind(path, before);
  const isSent = calls.length > 0 && calls.every((call) => results.has(call.id) && isObjectText(call));
  return isSent ? answer : undefined;
}

/** Some API formats require an object as arguments; what a model wrote may not be one. */
function isObjectText({ arguments: text }: ToolCall): boolean {
  if (text.trim() === '') return true;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function isProviderData(value: unknown): value is ProviderData {
  return typeof value === 'object' && value !== null && 'provider' in value && 'blocks' in value;
}
