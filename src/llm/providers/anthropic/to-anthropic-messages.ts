import type Anthropic from '@anthropic-ai/sdk';
import { type ChatMessage, fieldOf } from '../../port/index.js';
import { blocksOf } from './answer-blocks.js';
import { rejected, toInputBlocks, toTextBlocks } from './to-anthropic-blocks.js';

type Block = Anthropic.ContentBlockParam;
type Turn = Anthropic.MessageParam & { role: 'user' | 'assistant'; content: Block[] };
type AssistantMessage = Extract<ChatMessage, { role: 'assistant' }>;
type ToolMessage = Extract<ChatMessage, { role: 'tool' }>;
type ToolCall = NonNullable<AssistantMessage['tool_calls']>[number];

/** Messages as the wire wants them: what the system says apart, and turns of user and assistant that take turns. */
export interface Conversation {
  readonly system: Anthropic.TextBlockParam[];
  readonly messages: Turn[];
}

/**
 * Messages of the common tongue as system blocks and turns. Neighbours of one role are merged, results of tools are
 * part of the user's turn, and empty messages, which the wire refuses, are left out.
 * https://platform.claude.com/docs/en/api/messages
 *
 * @throws ProviderError `rejected` where a message holds what the wire cannot carry
 */
export function toConversation(messages: readonly ChatMessage[]): Conversation {
  const system: Anthropic.TextBlockParam[] = [];
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.role === 'system' || message.role === 'developer') {
      system.push(...toTextBlocks(message.content));
    } else {
      append(turns, message.role === 'assistant' ? 'assistant' : 'user', toBlocks(message));
    }
  }
  return { system, messages: turns };
}

function append(turns: Turn[], role: Turn['role'], blocks: readonly Block[]): void {
  if (blocks.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === role) last.content.push(...blocks);
  else turns.push({ role, content: [...blocks] });
}

function toBlocks(message: Exclude<ChatMessage, { role: 'system' | 'developer' }>): Block[] {
  switch (message.role) {
    case 'user':
      return toInputBlocks(message.content);
    case 'assistant':
      return blocksOf(message) ?? toAssistantBlocks(message);
    case 'tool':
      return [toToolResult(message)];
    case 'function':
      throw rejected("This model takes results of tools as messages with the role 'tool', not 'function'.");
  }
}

function toAssistantBlocks(message: AssistantMessage): Block[] {
  if (fieldOf(message, 'function_call'))
    throw rejected("This model takes 'tool_calls', not 'function_call'.");
  const text = toTextBlocks(message.content);
  const said = text.length > 0 ? text : toTextBlocks(message.refusal);
  return [...said, ...(message.tool_calls ?? []).map(toToolUse)];
}

function toToolUse(call: ToolCall): Anthropic.ToolUseBlockParam {
  if (call.type !== 'function') throw rejected(`This model has no tools of the type '${call.type}'.`);
  const { name, arguments: text } = call.function;
  return { type: 'tool_use', id: call.id, name, input: parseArguments(text, call.id) };
}

/** Tools without parameters are often called with no text at all. */
function parseArguments(text: string, id: string): unknown {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Falls through to the same refusal: neither is an object.
  }
  throw rejected(`The arguments of the tool call '${id}' are no JSON object.`);
}

function toToolResult(message: ToolMessage): Anthropic.ToolResultBlockParam {
  const content = toTextBlocks(message.content);
  return {
    type: 'tool_result',
    tool_use_id: message.tool_call_id,
    ...(content.length > 0 && { content }),
    ...(fieldOf(message, 'is_error') === true && { is_error: true }),
  };
}
