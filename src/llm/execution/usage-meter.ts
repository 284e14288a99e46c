import {
  type ChatChunk,
  type ChatCompletion,
  type ChatMessage,
  type ChatRequest,
  type CompletionUsage,
  type FinishReason,
  type TokenUsage,
} from '../port/index.js';
import { estimateMediaTokens } from '../accounting/media-tokens.js';
import { countTokens } from '../accounting/token-counter.js';

/**
 * Upper bound on plausible figures: more tokens than any model reads or writes in one call, and few enough to
 * be stored and summed.
 */
const MAX_PLAUSIBLE_TOKENS = 1_000_000_000;

/** Tokens that the framing of one message takes, according to OpenAI's cookbook on counting tokens. */
const TOKENS_PER_MESSAGE = 4;

/** Measures the usage of one attempt from its chunks, at any point in time. */
export class UsageMeter {
  private reported: TokenUsage | undefined;
  /**
   * Usage that the provider reported before the end: complete for the input, partial at most for the output.
   */
  private soFar: TokenUsage | undefined;
  private readonly texts: string[] = [];
  private readonly reasoning: string[] = [];
  private sent = false;
  /** True once any part of an answer has arrived: text, reasoning, a tool call or the finish reason. */
  hasOutput = false;
  /** True once a tool call has arrived. */
  calledTools = false;
  /** The finish reason of the first choice, once it has one. */
  finishReason: FinishReason | null = null;

  constructor(private readonly request: ChatRequest) {}

  add(chunk: ChatChunk): void {
    this.sent = true;
    if (chunk.usage) this.reported = toTokenUsage(chunk.usage) ?? this.reported;
    for (const choice of chunk.choices) {
      const { delta } = choice;
      if (delta.content) this.texts.push(delta.content);
      const reasoning = reasoningOf(delta);
      if (reasoning !== '') this.reasoning.push(reasoning);
      if (delta.tool_calls && delta.tool_calls.length > 0) this.calledTools = true;
      for (const call of delta.tool_calls ?? [])
        this.texts.push(call.function?.name ?? '', call.function?.arguments ?? '');
      if (choice.index === 0 && choice.finish_reason) this.finishReason = choice.finish_reason;
    }
    this.hasOutput ||= this.texts.length > 0 || this.reasoning.length > 0 || this.finishReason !== null;
  }

  /** Records figures that the provider reports before the end. They count if the end never comes. */
  addPartialUsage(usage: CompletionUsage): void {
    this.sent = true;
    this.soFar = toTokenUsage(usage) ?? this.soFar;
  }

  /** Marks the request as sent, even if no answer arrives: the provider has read it, and bills it. */
  assumeSent(): void {
    this.sent = true;
  }

  /** Records an answer that was not streamed. */
  addCompletion(completion: ChatCompletion): void {
    this.sent = true;
    if (completion.usage) this.reported = toTokenUsage(completion.usage) ?? this.reported;
    for (const { message } of completion.choices) {
      this.texts.push(message.content ?? '');
      this.reasoning.push(reasoningOf(message));
      for (const call of message.tool_calls ?? []) {
        if (call.type === 'function') this.texts.push(call.function.name, call.function.arguments);
      }
    }
  }

  /**
   * Returns the provider's figures, or our count of the tokens sent and received. Before anything has arrived,
   * it is zero.
   */
  usage(): { readonly usage: TokenUsage; readonly estimated: boolean } {
    if (this.reported) return { usage: this.reported, estimated: false };
    const reasoningTokens = countTokens(this.reasoning.join(''));
    const outputTokens = countTokens(this.texts.join('')) + reasoningTokens;
    const input = this.soFar ?? {
      inputTokens: this.sent ? countRequest(this.request) : 0,
      outputTokens: 0,
      cachedTokens: 0,
      cacheWriteTokens: 0,
    };
    const usage = { ...input, outputTokens: Math.max(input.outputTokens, outputTokens), reasoningTokens };
    return { usage, estimated: true };
  }
}

/**
 * Returns the reasoning, which several hosts send as `reasoning_content` or `reasoning`; OpenAI's types have
 * neither.
 */
function reasoningOf(message: object): string {
  for (const name of ['reasoning_content', 'reasoning']) {
    const value: unknown = Reflect.get(message, name);
    if (typeof value === 'string') return value;
  }
  return '';
}

/**
 * Converts a host's figures; undefined if they exceed what any model can use, in which case we count ourselves.
 */
function toTokenUsage(usage: NonNullable<ChatChunk['usage']>): TokenUsage | undefined {
  const figures = {
    inputTokens: wholeNumber(usage.prompt_tokens),
    outputTokens: wholeNumber(usage.completion_tokens),
    cachedTokens: wholeNumber(usage.prompt_tokens_details?.cached_tokens),
    cacheWriteTokens: wholeNumber(usage.prompt_tokens_details?.cache_write_tokens),
    reasoningTokens: wholeNumber(usage.completion_tokens_details?.reasoning_tokens),
  };
  return Math.max(...Object.values(figures)) <= MAX_PLAUSIBLE_TOKENS ? figures : undefined;
}

/**
 * Validates a host's figure, which is untrusted input: a value that is no integer of at least 0 would corrupt
 * every sum.
 */
function wholeNumber(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** Bytes that one character of base64 represents. */
const BYTES_PER_BASE64_UNIT = 3 / 4;

/**
 * Estimates the input tokens of a request: its messages, tool calls and media, and the definitions of tools.
 */
export function countRequest({ messages, tools }: ChatRequest): number {
  const total = messages.reduce((sum, message) => sum + TOKENS_PER_MESSAGE + countMessage(message), 0);
  return total + (tools && tools.length > 0 ? countTokens(JSON.stringify(tools)) : 0);
}

function countMessage(message: ChatMessage): number {
  const calls = message.role === 'assistant' && message.tool_calls ? JSON.stringify(message.tool_calls) : '';
  return countTokens(textOf(message) + calls) + countMedia(message);
}

function countMedia({ content }: ChatMessage): number {
  if (typeof content === 'string') return 0;
  return (content ?? []).reduce((sum, part) => {
    if (part.type === 'image_url') return sum + estimateMediaTokens('image', 0);
    if (part.type !== 'file') return sum;
    const { file_data: data = '' } = part.file;
    const bytes = data.length * BYTES_PER_BASE64_UNIT;
    return (
      sum +
      (data.startsWith('data:application/pdf') ? estimateMediaTokens('pdf', bytes) : Math.ceil(bytes / 4))
    );
  }, 0);
}

function textOf(message: ChatMessage): string {
  const { content } = message;
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
