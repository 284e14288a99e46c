import {
  type ChatChunk,
  type ChatCompletion,
  type ChatMessage,
  type ChatRequest,
  type CompletionUsage,
  type FinishReason,
  type TokenUsage,
} from '../port/index.js';
import { mediaTokens } from '../accounting/media-tokens.js';
import { countTokens } from '../accounting/token-counter.js';

/** More tokens than any model takes or gives in one call, and few enough to be stored and summed. */
const MAX_PLAUSIBLE_TOKENS = 1_000_000_000;

/** Tokens that the framing of one message takes, by OpenAI's cookbook on counting tokens. */
const TOKENS_PER_MESSAGE = 4;

/** Follows the chunks of one attempt and tells at any moment what it has used. */
export class UsageMeter {
  private reported: TokenUsage | undefined;
  /** What the provider told before the end: of the input all, of the output a part at the most. */
  private soFar: TokenUsage | undefined;
  private readonly texts: string[] = [];
  private readonly reasoning: string[] = [];
  private sent = false;
  /** True once anything of an answer came: text, reasoning, a tool call or the finish. */
  begun = false;
  /** True once a tool call was among it. */
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
    this.begun ||= this.texts.length > 0 || this.reasoning.length > 0 || this.finishReason !== null;
  }

  /** Figures that the provider tells before the end. They count where the end never comes. */
  addUsageSoFar(usage: CompletionUsage): void {
    this.sent = true;
    this.soFar = toTokenUsage(usage) ?? this.soFar;
  }

  /** The request was sent, whether anything came of it or not: the provider has read it, and bills it. */
  assumeSent(): void {
    this.sent = true;
  }

  /** The same for an answer that came whole. */
  addWhole(completion: ChatCompletion): void {
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

  /** The provider's figures, or our count of what was sent and received. Before anything came, nothing was used. */
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

/** Several hosts stream reasoning as `reasoning_content` or `reasoning`, which OpenAI's types do not have. */
function reasoningOf(said: object): string {
  for (const name of ['reasoning_content', 'reasoning']) {
    const value: unknown = Reflect.get(said, name);
    if (typeof value === 'string') return value;
  }
  return '';
}

/** A host's figures, or undefined where they are beyond everything that a model can do: then we count ourselves. */
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

/** A host's figure is foreign input: what is no whole number from 0 on would poison every sum above it. */
function wholeNumber(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** Bytes that a character of base64 stands for. */
const BYTES_PER_BASE64_UNIT = 3 / 4;

/** An estimate of what a request takes: everything that is said, called and shown, and the tools. */
export function countRequest({ messages, tools }: ChatRequest): number {
  const said = messages.reduce((sum, message) => sum + TOKENS_PER_MESSAGE + countMessage(message), 0);
  return said + (tools && tools.length > 0 ? countTokens(JSON.stringify(tools)) : 0);
}

function countMessage(message: ChatMessage): number {
  const calls = message.role === 'assistant' && message.tool_calls ? JSON.stringify(message.tool_calls) : '';
  return countTokens(textOf(message) + calls) + countMedia(message);
}

function countMedia({ content }: ChatMessage): number {
  if (typeof content === 'string') return 0;
  return (content ?? []).reduce((sum, part) => {
    if (part.type === 'image_url') return sum + mediaTokens('image', 0);
    if (part.type !== 'file') return sum;
    const { file_data: data = '' } = part.file;
    const bytes = data.length * BYTES_PER_BASE64_UNIT;
    return sum + (data.startsWith('data:application/pdf') ? mediaTokens('pdf', bytes) : Math.ceil(bytes / 4));
  }, 0);
}

function textOf(message: ChatMessage): string {
  const { content } = message;
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
