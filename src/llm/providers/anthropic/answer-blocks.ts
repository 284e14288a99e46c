import type Anthropic from '@anthropic-ai/sdk';
import { type ChatMessage, fieldOf, type ProviderData, textField } from '../../port/index.js';

/** The name under which what only Anthropic understands travels on a message. */
const PROVIDER = 'anthropic';

type AssistantMessage = Extract<ChatMessage, { role: 'assistant' }>;

/** One content block of an answer as it comes in. */
export class AnswerBlock {
  readonly type: string;
  private text: string;
  private thinking: string;
  private signature: string;
  private json = '';
  private readonly citations: unknown[];

  /** @param start the block of the event `content_block_start` */
  constructor(private readonly start: object) {
    this.type = textField(start, 'type') ?? '';
    this.text = textField(start, 'text') ?? '';
    this.thinking = textField(start, 'thinking') ?? '';
    this.signature = textField(start, 'signature') ?? '';
    const citations: unknown = fieldOf(start, 'citations');
    this.citations = isList(citations) ? [...citations] : [];
  }

  /** Text that a `content_block_delta` brings. */
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

  /** What of the arguments no delta has brought: all of them where they came with the start, `{}` where there are none. */
  get argumentsLeft(): string {
    return this.json === '' ? JSON.stringify(fieldOf(this.start, 'input') ?? {}) : '';
  }

  /** True where text and tool calls of the common tongue cannot say it. */
  get isSpecial(): boolean {
    return (this.type !== 'text' && this.type !== 'tool_use') || this.citations.length > 0;
  }

  /** The block as the provider takes it back, or undefined where it would not: empty, unsigned, or cut off. */
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
    if (this.json === '') return this.start;
    try {
      const input: unknown = JSON.parse(this.json);
      return { ...this.start, input };
    } catch {
      return undefined;
    }
  }
}

/**
 * What the provider has to get back unchanged, where there is any of it. It is the whole content: signed thinking,
 * text with citations and calls of tools only count in the order in which they were written.
 */
export function toProviderData(blocks: Iterable<AnswerBlock>): ProviderData | undefined {
  const whole = Array.from(blocks).filter((block) => block.toParam() !== undefined);
  if (!whole.some((block) => block.isSpecial)) return undefined;
  return { provider: PROVIDER, blocks: whole.map((block) => block.toParam()) };
}

/**
 * The blocks that an answer of Anthropic's was made of, to be sent back in place of it. Undefined where there are
 * none, they are another provider's, or the message was changed since, so that they no longer say what it says.
 */
export function blocksOf(message: AssistantMessage): Anthropic.ContentBlockParam[] | undefined {
  const data = message.provider_data;
  if (data?.provider !== PROVIDER || !Array.isArray(data.blocks)) return undefined;
  const blocks: unknown[] = data.blocks;
  if (!blocks.every(isBlock) || blocks.length === 0) return undefined;
  const text = blocks.map((block) => (block.type === 'text' ? block.text : '')).join('');
  const calls = blocks.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
  const same = text === textOf(message) && calls.join('\n') === idsOf(message).join('\n');
  // Claude writes blank texts between others, and refuses them when they come back.
  return same ? blocks.filter((block) => block.type !== 'text' || block.text.trim() !== '') : undefined;
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value);
}

/** Only as far as we read it; what else a block holds is between the provider and itself. */
function isBlock(value: unknown): value is Anthropic.ContentBlockParam {
  const type = textField(value, 'type');
  if (type === 'text') return textField(value, 'text') !== undefined;
  return type === 'tool_use' ? textField(value, 'id') !== undefined : type !== undefined;
}

function textOf({ content }: AssistantMessage): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function idsOf({ tool_calls: calls = [] }: AssistantMessage): string[] {
  return calls.map(({ id }) => id);
}
