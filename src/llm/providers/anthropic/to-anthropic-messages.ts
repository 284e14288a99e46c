import type Anthropic from '@anthropic-ai/sdk';
import { type CallIdRule, type ChatMessage, getField, withAcceptedCallIds } from '../../port/index.js';
import { originalBlocksOf } from './answer-blocks.js';
import { toInputBlocks, toTextBlocks, unsupportedContentError } from './to-anthropic-blocks.js';

type Block = Anthropic.ContentBlockParam;
type AnthropicTurn = Anthropic.MessageParam & { role: 'user' | 'assistant'; content: Block[] };
type AssistantMessage = Extract<ChatMessage, { role: 'assistant' }>;
type TextMessage = Extract<ChatMessage, { role: 'assistant' | 'system' | 'developer' }>;
type ToolMessage = Extract<ChatMessage, { role: 'tool' }>;
type ToolCall = NonNullable<AssistantMessage['tool_calls']>[number];

/**
 * The tool call ids that the API accepts: "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
 * "`tool_use` ids must be unique". The maximum length is our own: no host is known to have a lower one.
 */
const CALL_IDS: CallIdRule = {
  accepts: /^[a-zA-Z0-9_-]{1,64}$/,
  prefix: 'call_',
  digestLength: 24,
  unique: true,
};

/**
 * Messages as the API requires them: the system prompt separate, and alternating turns of user and assistant.
 */
export interface AnthropicPrompt {
  readonly system: Anthropic.TextBlockParam[];
  readonly messages: AnthropicTurn[];
}

/**
 * Converts canonical messages to system blocks and turns. Neighbors of one role are merged, tool results
 * become part of the user's turn, and empty messages, which the API refuses, are omitted.
 * https://platform.claude.com/docs/en/api/messages
 *
 * @throws AppError `invalid_request` for content that the API format cannot carry
 */
export function toAnthropicPrompt(messages: readonly ChatMessage[]): AnthropicPrompt {
  const system: Anthropic.TextBlockParam[] = [];
  const turns: AnthropicTurn[] = [];
  for (const [index, message] of withAcceptedCallIds(messages, CALL_IDS).entries()) {
    if (message.role === 'assistant' || message.role === 'system' || message.role === 'developer') {
      requireText(message, index);
    }
    if (message.role === 'system' || message.role === 'developer') {
      system.push(...toTextBlocks(message.content));
    } else {
      append(turns, message.role === 'assistant' ? 'assistant' : 'user', toBlocks(message));
    }
  }
  trimEnd(turns);
  return { system, messages: turns };
}

/**
 * Checks a message that the API format accepts only with text: images, documents and audio belong to the user.
 * @throws AppError `invalid_request` that names the field
 */
function requireText(message: TextMessage, index: number): void {
  const { role, content } = message;
  const parts: readonly { readonly type: string }[] = typeof content === 'string' ? [] : (content ?? []);
  for (const [place, { type }] of parts.entries()) {
    if (type === 'text' || type === 'refusal') continue;
    throw unsupportedContentError(
      `This model accepts content parts of type '${type}' in user messages only, not in messages with the role '${role}'.`,
      `messages.${String(index)}.content.${String(place)}`,
    );
  }
  if (role === 'assistant' && message.audio) {
    throw unsupportedContentError('This model does not support audio.', `messages.${String(index)}.audio`);
  }
}

/**
 * Trims an answer to be continued, since the API refuses one that ends in white space ("final assistant content
 * cannot end with …").
 */
function trimEnd(turns: AnthropicTurn[]): void {
  const last = turns.at(-1);
  if (last?.role !== 'assistant') return;
  const place = last.content.length - 1;
  const block: Block | undefined = last.content[place];
  if (block?.type === 'text') last.content[place] = { ...block, text: block.text.trimEnd() };
}

/**
 * Returns true if the last answer called tools and does not begin with signed thinking, as happens if another
 * provider wrote it or an OpenAI client returned it.
 */
export function callsWithoutThinking(messages: readonly ChatMessage[]): boolean {
  const last = withAcceptedCallIds(messages, CALL_IDS).findLast((message) => message.role === 'assistant');
  if (!last?.tool_calls || last.tool_calls.length === 0) return false;
  const first: Block | undefined = originalBlocksOf(last)?.[0];
  const type = first?.type;
  return type !== 'thinking' && type !== 'redacted_thinking';
}

function append(turns: AnthropicTurn[], role: AnthropicTurn['role'], blocks: readonly Block[]): void {
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
      return originalBlocksOf(message) ?? toAssistantBlocks(message);
    case 'tool':
      return [toToolResult(message)];
    case 'function':
      throw unsupportedContentError(
        "This model accepts tool results as messages with the role 'tool', not 'function'.",
        'messages',
      );
  }
}

function toAssistantBlocks(message: AssistantMessage): Block[] {
  if (getField(message, 'function_call')) {
    throw unsupportedContentError("This model accepts 'tool_calls', not 'function_call'.", 'messages');
  }
  const text = toTextBlocks(message.content);
  const content = text.length > 0 ? text : toTextBlocks(message.refusal);
  return [...content, ...(message.tool_calls ?? []).map(toToolUse)];
}

function toToolUse(call: ToolCall): Anthropic.ToolUseBlockParam {
  if (call.type !== 'function') {
    throw unsupportedContentError(`This model does not support tools of type '${call.type}'.`, 'messages');
  }
  const { name, arguments: text } = call.function;
  return { type: 'tool_use', id: call.id, name, input: parseArguments(text, call.id) };
}

/** Parses the arguments of a call. Tools without parameters are often called with an empty string. */
function parseArguments(text: string, id: string): unknown {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Falls through to the same refusal: neither is an object.
  }
  throw unsupportedContentError(`The arguments of the tool call '${id}' are not a JSON object.`, 'messages');
}

/**
 * Converts a tool result. It may contain images and documents, although the type of the canonical format does
 * not allow them.
 */
function toToolResult(message: ToolMessage): Anthropic.ToolResultBlockParam {
  const content = toInputBlocks(message.content);
  return {
    type: 'tool_result',
    tool_use_id: message.tool_call_id,
    ...(content.length > 0 && { content }),
    ...(getField(message, 'is_error') === true && { is_error: true }),
  };
}
