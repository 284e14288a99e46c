import type OpenAI from 'openai';

/**
 * Data that only one provider understands (signed thinking, cache marks). Returned unchanged to that provider
 * and dropped for all others.
 */
export interface ProviderData {
  readonly provider: string;
  readonly blocks: unknown;
}

/** A message in the canonical format (OpenAI Chat Completions), extended by data that does not fit it. */
export type ChatMessage = OpenAI.Chat.ChatCompletionMessageParam & { provider_data?: ProviderData };

/**
 * A request in the canonical format (OpenAI Chat Completions). The method that is called decides whether the
 * upstream streams, so the fields for that are omitted.
 */
export type ChatRequest = Omit<
  OpenAI.Chat.ChatCompletionCreateParams,
  'messages' | 'model' | 'stream' | 'stream_options'
> & { readonly messages: ChatMessage[] };

/** One chunk of a streamed answer in the canonical format. */
export type ChatChunk = OpenAI.Chat.ChatCompletionChunk;

/**
 * The fields that a chunk adds to a choice. `provider_data`, if any, comes once, together with the finish
 * reason.
 */
export type ChatDelta = ChatChunk['choices'][number]['delta'] & { provider_data?: ProviderData };

/** A whole answer in the canonical format. */
export type ChatCompletion = OpenAI.Chat.ChatCompletion;

/** The message of a whole answer. */
export type AnswerMessage = OpenAI.Chat.ChatCompletionMessage & { provider_data?: ProviderData };

/** Token usage of an answer in the canonical format. */
export type CompletionUsage = OpenAI.CompletionUsage;

/** The reason why an answer ended. */
export type FinishReason = NonNullable<ChatChunk['choices'][number]['finish_reason']>;

/** The finish reasons of the canonical format. */
export const FINISH_REASONS = [
  'stop',
  'length',
  'tool_calls',
  'content_filter',
  'function_call',
] as const satisfies readonly FinishReason[];

/** Token usage of one attempt. All figures are integers of at least 0. */
export interface TokenUsage {
  /** Tokens of the request, including those read from and written to the provider's prompt cache. */
  readonly inputTokens: number;
  /** Tokens of the answer, including reasoning. */
  readonly outputTokens: number;
  /** The part of the input that the provider read from its prompt cache. */
  readonly cachedTokens: number;
  /** The part of the input that the provider wrote to its prompt cache; some providers charge more for it. */
  readonly cacheWriteTokens: number;
  /** The part of the output that was reasoning and is not part of the text. */
  readonly reasoningTokens: number;
}

/** Usage of an answer for which no model was called. */
export const NO_USAGE: TokenUsage = {
  inputTokens: 0,
  outputTokens: 0,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};
