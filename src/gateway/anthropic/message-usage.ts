import type { TokenUsage } from '../../llm/index.js';

/**
 * Usage in Anthropic's format: tokens read from and written to the prompt cache are not part of the input
 * tokens.
 */
export interface MessageUsage {
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly thinking_tokens: number } | null;
}

/** Returns the usage at the start of an answer, before its provider has reported any. The end corrects it. */
export function estimatedUsage(inputTokens: number): MessageUsage {
  return {
    input_tokens: inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 0,
    output_tokens_details: null,
  };
}

/** Converts the usage of an attempt to Anthropic's format. */
export function toMessageUsage(usage: TokenUsage): MessageUsage {
  const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens } = usage;
  return {
    // Never negative, even if a host reports more cached tokens than input.
    input_tokens: Math.max(0, inputTokens - cachedTokens - cacheWriteTokens),
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cachedTokens,
    output_tokens: outputTokens,
    output_tokens_details: reasoningTokens > 0 ? { thinking_tokens: reasoningTokens } : null,
  };
}
