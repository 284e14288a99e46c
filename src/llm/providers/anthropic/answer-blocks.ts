import type Anthropic from '@anthropic-ai/sdk';
import { type ChatMessage, getField, type ProviderData, getStringField } from '../../port/index.js';

/** The `provider` of the data on a message that only Anthropic understands. */
const PROVIDER = 'anthropic';

type AssistantMessage = Extract<ChatMessage, { role: 'assistant' }>;

/** One content block of an answer, accumulated from its events. */
export class AnthropicAnswerBlock {
  readonly type: string;
  private text: string;
  private thinking: string;
  private signature: string;
  private json = '';
  private readonly citations: unknown[];

  /** @param start the block of the event `content_block_start` */
  constructor(private readonly start: object) {
    this.type = getStringField(start, 'type') ?? '';
    this.text = getStringField(start, 'text') ?? '';
    this.thinking = getStringField(start, 'thinking') ?? '';
    this.signature = getStringField(start, 'signature') ?? '';
    const citations: unknown = getField(start, 'citations');
    this.citations = isList(citations) ? [...citations] : [];
  }

  /** Appends text from a `content_block_delta`. */
  addText(text: string): void {
    this.text += text;
  }

  addThinking(thinking: string): void {
    this.thinking += thinking;
  }

  addSignature(signature: string): void {
    this.signature += signature;
  }

  addCitation(citation: unknown): void {
    this.citations.push(citation);
  }

  addJson(json: string): void {
    this.json += json;
  }

  /**
   * Returns the arguments that no delta contained: all of them if they came with the start, `{}` if there are
   * none.
   */
  get argumentsLeft(): string {
    return this.json === '' ? toArguments(getField(this.start, 'input')) : '';
  }

  /** True if text and tool calls of the canonical format cannot express the block. */
  get isSpecial(): boolean {
    return (this.type !== 'text' && this.type !== 'tool_use') || this.citations.length > 0;
  }

  /**
   * Returns the block in the form that the provider accepts back, or undefined if it would refuse it: empty,
   * unsigned, or cut off.
   */
  toParam(): object | undefined {
    switch (this.type) {
      case 'text':
        if (this.text === '') return undefined;
        return {
          ...this.start,
          text: this.text,
          ...(this.citations.length > 0 && { citations: this.citations }),
        };
      case 'thinking':
        if (this.signature === '') return undefined;
        return { ...this.start, thinking: this.thinking, signature: this.signature };
      case 'tool_use':
      case 'server_tool_use':
        return this.withInput();
      default:
        return this.start;
    }
  }

  private withInput(): object | undefined {
    const given = getField(this.start, 'input');
    if (this.json === '' && typeof given !== 'string') return this.start;
    try {
      const input: unknown = JSON.parse(this.json || toArguments(given));
      return { ...this.start, input };
    } catch {
      return undefined;
    }
  }
}

/** Returns the input of a tool call as JSON text: proxies send the text itself in place of the object. */
export function toArguments(input: unknown): string {
  const text = typeof input === 'string' ? input : JSON.stringify(input ?? {});
  return text.trim() === '' ? '{}' : text;
}

/**
 * Returns the data that the provider must receive back unchanged, if there is any. It is the entire content:
 * signed thinking, text with citations and tool calls are valid only in their original order.
 */
export function toProviderData(blocks: Iterable<AnthropicAnswerBlock>): ProviderData | undefined {
  const whole = Array.from(blocks).filter((block) => block.toParam() !== undefined);
  if (!whole.some((block) => block.isSpecial)) return undefined;
  return { provider: PROVIDER, blocks: whole.map((block) => block.toParam()) };
}

/**
 * Returns the original blocks of an answer of Anthropic's, to be sent back in place of the message. Undefined
 * if there are none, if they are another provider's, or if the message was changed since and no longer matches
 * them.
 */
export function originalBlocksOf(message: AssistantMessage): Anthropic.ContentBlockParam[] | undefined {
  const data = message.provider_data;
  if (data?.provider !== PROVIDER || !Array.isArray(data.blocks)) return undefined;
  const blocks: unknown[] = data.blocks;
  if (!blocks.every(isBlock) || blocks.length === 0) return undefined;
  const text = blocks.map((block) => (block.type === 'text' ? block.text : '')).join('');
  const calls = blocks.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
  const same = text === textOf(message) && calls.join('\n') === idsOf(message).join('\n');
  // Claude writes blank texts between others, but refuses them in requests.
  return same ? blocks.filter((block) => block.type !== 'text' || block.text.trim() !== '') : undefined;
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value);
}

/** Checks only the fields that we read; the rest of a block matters to the provider alone. */
function isBlock(value: unknown): value is Anthropic.ContentBlockParam {
  const type = getStringField(value, 'type');
  if (type === 'text') return getStringField(value, 'text') !== undefined;
  return type === 'tool_use' ? getStringField(value, 'id') !== undefined : type !== undefined;
}

function textOf({ content }: AssistantMessage): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function idsOf({ tool_calls: calls = [] }: AssistantMessage): string[] {
  return calls.map(({ id }) => id);
}
