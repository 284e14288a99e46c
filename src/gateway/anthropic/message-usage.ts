import type { TokenUsage } from '../../llm/index.js';

/** Tokens as the wire counts them: what was read from and written to the prompt cache stands beside the input. */
export interface MessageUsage {
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly thinking_tokens: number } | null;
}

/** The usage at the start of an answer, before its provider has reported any. The end corrects it. */
export function estimatedUsage(inputTokens: number): MessageUsage {
  return {
    input_tokens: inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 0,
    output_tokens_details: null,
  };
}

/** The tokens of an attempt on this wire. */
export function toMessageUsage(usage: TokenUsage): MessageUsage {
  const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens } = usage;
  return {
    // A host that tells more cached tokens than it took in is not to make this negative.
    input_tokens: Math.max(0, inputTokens - cachedTokens - cacheWriteTokens),
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cachedTokens,
    output_tokens: outputTokens,
    output_tokens_details: reasoningTokens > 0 ? { thinking_tokens: reasoningTokens } : null,
  };
}
