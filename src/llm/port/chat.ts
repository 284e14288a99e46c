import type OpenAI from 'openai';

/** What only one provider understands (signed thinking, cache marks). Returned unchanged to that provider, dropped for others. */
export interface ProviderData {
  readonly provider: string;
  readonly blocks: unknown;
}

/** A message of the common tongue: OpenAI's, with room for what does not fit it. */
export type ChatMessage = OpenAI.Chat.ChatCompletionMessageParam & { provider_data?: ProviderData };

/**
 * A request in the common tongue: OpenAI's Chat Completions request. Whether the upstream streams is decided by
 * the method that is called, so the fields for it are left out.
 */
export type ChatRequest = Omit<
  OpenAI.Chat.ChatCompletionCreateParams,
  'messages' | 'model' | 'stream' | 'stream_options'
> & { readonly messages: ChatMessage[] };

/** One chunk of a streamed answer in the common tongue. */
export type ChatChunk = OpenAI.Chat.ChatCompletionChunk;

/** What a chunk adds to a choice. `provider_data` comes once, with the finish, where there is any. */
export type ChatDelta = ChatChunk['choices'][number]['delta'] & { provider_data?: ProviderData };

/** A whole answer in the common tongue. */
export type ChatCompletion = OpenAI.Chat.ChatCompletion;

/** The message of a whole answer. */
export type AnswerMessage = OpenAI.Chat.ChatCompletionMessage & { provider_data?: ProviderData };

/** Tokens of an answer in the common tongue. */
export type CompletionUsage = OpenAI.CompletionUsage;

/** Why an answer ended. */
export type FinishReason = NonNullable<ChatChunk['choices'][number]['finish_reason']>;

/** The reasons that the common tongue has. */
export const FINISH_REASONS = [
  'stop',
  'length',
  'tool_calls',
  'content_filter',
  'function_call',
] as const satisfies readonly FinishReason[];

/** Tokens of one attempt. All are whole numbers of at least 0. */
export interface TokenUsage {
  /** Tokens of the request, those read from and written to the provider's prompt cache included. */
  readonly inputTokens: number;
  /** Tokens of the answer, reasoning included. */
  readonly outputTokens: number;
  /** The part of the input that the provider read from its prompt cache. */
  readonly cachedTokens: number;
  /** The part of the input that the provider wrote to its prompt cache; some charge more for it. */
  readonly cacheWriteTokens: number;
  /** The part of the output that was reasoning and is not in the text. */
  readonly reasoningTokens: number;
}
