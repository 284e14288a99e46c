import type Anthropic from '@anthropic-ai/sdk';
import type { ChatMessage, ProviderData } from '../../llm/index.js';
import { isForeignReasoning, unsealed } from './reasoning-seal.js';

type Block = Anthropic.ContentBlockParam;
type Content = string | readonly Block[];
type UserPart = Exclude<Extract<ChatMessage, { role: 'user' }>['content'], string>[number];
type ToolCall = NonNullable<Extract<ChatMessage, { role: 'assistant' }>['tool_calls']>[number];

/** What a tool that failed without a word is told as: the common tongue has no mark for failures. */
const FAILED = 'The tool failed.';

/** The wire whose provider takes special blocks back. */
const WIRE = 'anthropic';

/** Blocks of an answer that mean nothing to another provider, and that it can do without: thoughts, and their seals. */
const OWN_BLOCKS: ReadonlySet<string> = new Set(['thinking', 'redacted_thinking']);

/** The blocks that the common tongue has words for, by who says them. */
const KNOWN_BLOCKS = {
  user: new Set(['text', 'image', 'tool_result']),
  assistant: new Set(['text', 'tool_use', ...OWN_BLOCKS]),
  system: new Set(['text']),
} as const satisfies Record<Anthropic.MessageParam['role'], ReadonlySet<string>>;

/** What a tool's result may hold besides text, for which it becomes a part of the user's turn. */
const KNOWN_RESULTS: ReadonlySet<string> = new Set(['text', 'image']);

/** The first block that the common tongue has no words for, as the wire names places: `messages.0.content.1.document`. */
export function foreignBlock(messages: readonly Anthropic.MessageParam[]): string | undefined {
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

/** An uploaded file is known to its provider alone. */
function isKnownImage({ source }: Anthropic.ImageBlockParam): boolean {
  return source.type === 'base64' || source.type === 'url';
}

/** The system prompt as messages of the common tongue. */
export function toSystemMessages(system: string | readonly Anthropic.TextBlockParam[] = ''): ChatMessage[] {
  const content = textOf(listOf(system), '\n\n');
  return content === '' ? [] : [{ role: 'system', content }];
}

/** One turn as messages of the common tongue, in which each result of a tool is a message of its own. */
export function toChatMessages({ role, content }: Anthropic.MessageParam): ChatMessage[] {
  switch (role) {
    case 'user':
      return toUserMessages(content);
    case 'assistant':
      return [toAssistantMessage(content)];
    case 'system':
      return toSystemMessages(content);
  }
}

/** The results come first: they have to follow the calls. Their images come after them, where images are taken. */
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

/** Data that the provider of an answer needs back: reasoning that was sealed here, or blocks that Anthropic signed. */
function providerDataOf(content: readonly Block[]): ProviderData | undefined {
  const foreign = unsealed(content);
  if (foreign !== undefined) return foreign;
  const special = content.some((block) => OWN_BLOCKS.has(block.type) && !isForeignReasoning(block));
  return special ? { provider: WIRE, blocks: content } : undefined;
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

/** Content that is one text, as the one block that it stands for. */
function listOf<Block>(content: string | readonly Block[]): readonly (Block | Anthropic.TextBlockParam)[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}
