import type Anthropic from '@anthropic-ai/sdk';
import type { ChatMessage, ProviderData } from '../../llm/index.js';
import { isForeignReasoning, readSealedData } from './reasoning-seal.js';

type Block = Anthropic.ContentBlockParam;
type Content = string | readonly Block[];
type UserPart = Exclude<Extract<ChatMessage, { role: 'user' }>['content'], string>[number];
type ToolCall = NonNullable<Extract<ChatMessage, { role: 'assistant' }>['tool_calls']>[number];

/** The result of a tool that failed without a message: the canonical format has no flag for failures. */
const FAILED = 'The tool failed.';

/** The protocol whose provider accepts special blocks back. */
const PROTOCOL = 'anthropic';

/** Blocks of an answer that have no meaning for another provider and can be dropped: thinking, and seals. */
const OWN_BLOCKS: ReadonlySet<string> = new Set(['thinking', 'redacted_thinking']);

/** The blocks that the canonical format can express, by role. */
const KNOWN_BLOCKS = {
  user: new Set(['text', 'image', 'tool_result']),
  assistant: new Set(['text', 'tool_use', ...OWN_BLOCKS]),
  system: new Set(['text']),
} as const satisfies Record<Anthropic.MessageParam['role'], ReadonlySet<string>>;

/** The content of a tool result that can be converted. An image becomes part of the user's turn. */
const KNOWN_RESULTS: ReadonlySet<string> = new Set(['text', 'image']);

/**
 * Returns the path of the first block that the canonical format cannot express:
 * `messages.0.content.1.document`.
 */
export function findUnsupportedBlock(messages: readonly Anthropic.MessageParam[]): string | undefined {
  for (const [index, { role, content }] of messages.entries()) {
    for (const [place, block] of listOf(content).entries()) {
      const where = `messages.${index}.content.${place}.${block.type}`;
      if (!KNOWN_BLOCKS[role].has(block.type)) return where;
      if (block.type === 'image' && !isKnownImage(block)) return `${where}.source`;
      const inner = block.type === 'tool_result' ? foreignResult(block) : undefined;
      if (inner !== undefined) return `${where}.content.${inner}`;
    }
  }
  return undefined;
}

function foreignResult({ content }: Anthropic.ToolResultBlockParam): string | undefined {
  const blocks = typeof content === 'string' ? [] : (content ?? []);
  const place = blocks.findIndex(
    (block) => !KNOWN_RESULTS.has(block.type) || (block.type === 'image' && !isKnownImage(block)),
  );
  return place === -1 ? undefined : `${place}.${blocks[place]?.type ?? ''}`;
}

/** Returns false for an uploaded file, which only its provider knows. */
function isKnownImage({ source }: Anthropic.ImageBlockParam): boolean {
  return source.type === 'base64' || source.type === 'url';
}

/** Converts the system prompt to canonical messages. */
export function toSystemMessages(system: string | readonly Anthropic.TextBlockParam[] = ''): ChatMessage[] {
  const content = textOf(listOf(system), '\n\n');
  return content === '' ? [] : [{ role: 'system', content }];
}

/** Converts one turn to canonical messages. Each tool result becomes a message of its own. */
export function toCanonicalMessages({ role, content }: Anthropic.MessageParam): ChatMessage[] {
  switch (role) {
    case 'user':
      return toUserMessages(content);
    case 'assistant':
      return [toAssistantMessage(content)];
    case 'system':
      return toSystemMessages(content);
  }
}

/**
 * Converts a user's turn. Tool results come first, since they must follow the calls. Their images come after
 * them, in a user message, which may contain images.
 */
function toUserMessages(content: Content): ChatMessage[] {
  if (typeof content === 'string') return [{ role: 'user', content }];
  const results = content.filter((block) => block.type === 'tool_result');
  const parts = content.flatMap(toUserParts);
  return [
    ...results.map((block) => toToolMessage(block)),
    ...(parts.length > 0 ? [{ role: 'user' as const, content: parts }] : []),
  ];
}

function toUserParts(block: Block): UserPart[] {
  switch (block.type) {
    case 'text':
      return [{ type: 'text', text: block.text }];
    case 'image':
      return toImagePart(block);
    case 'tool_result':
      return listOf(block.content ?? []).flatMap((inner) =>
        inner.type === 'image' ? toImagePart(inner) : [],
      );
    default:
      return [];
  }
}

function toImagePart({ source }: Anthropic.ImageBlockParam): UserPart[] {
  switch (source.type) {
    case 'url':
      return [{ type: 'image_url', image_url: { url: source.url } }];
    case 'base64':
      return [{ type: 'image_url', image_url: { url: `data:${source.media_type};base64,${source.data}` } }];
    default:
      return [];
  }
}

function toToolMessage(block: Anthropic.ToolResultBlockParam): ChatMessage {
  const content = textOf(listOf(block.content ?? []), '\n');
  return {
    role: 'tool',
    tool_call_id: block.tool_use_id,
    content: content === '' && block.is_error === true ? FAILED : content,
  };
}

function toAssistantMessage(content: Content): ChatMessage {
  if (typeof content === 'string') return { role: 'assistant', content };
  const text = textOf(content, '');
  const calls = content.flatMap((block) => (block.type === 'tool_use' ? [toToolCall(block)] : []));
  const data = providerDataOf(content);
  return {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(data && { provider_data: data }),
  };
}

/**
 * Returns the data that the provider of an answer needs back: reasoning that was sealed here, or blocks that
 * Anthropic signed.
 */
function providerDataOf(content: readonly Block[]): ProviderData | undefined {
  const foreign = readSealedData(content);
  if (foreign !== undefined) return foreign;
  const special = content.some((block) => OWN_BLOCKS.has(block.type) && !isForeignReasoning(block));
  return special ? { provider: PROTOCOL, blocks: content } : undefined;
}

function toToolCall({ id, name, input }: Anthropic.ToolUseBlockParam): ToolCall {
  return { id, type: 'function', function: { name, arguments: JSON.stringify(input) } };
}

function textOf(blocks: readonly { readonly type: string }[], separator: string): string {
  return blocks.flatMap((block) => (isText(block) ? [block.text] : [])).join(separator);
}

function isText(block: { readonly type: string }): block is Anthropic.TextBlockParam {
  return block.type === 'text';
}

/** Returns content as a list of blocks; a string becomes a single text block. */
function listOf<Block>(content: string | readonly Block[]): readonly (Block | Anthropic.TextBlockParam)[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}
