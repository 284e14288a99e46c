import type { ChatRequest, EmbeddingRequest } from '../port/index.js';

/** Average bytes of text per token. */
const BYTES_PER_TOKEN = 4;

/** Estimated tokens of an answer without a limit. */
const OUTPUT_TOKENS = 1024;

/** Bytes counted for an image, audio or a document: their real size is unrelated to their tokens. */
const MEDIA_BYTES = 4096;

/**
 * The estimated tokens of a call. It does not use a tokenizer, which would cost more than all other processing
 * of a request.
 */
export interface TokenEstimate {
  readonly input: number;
  readonly output: number;
}

/** Estimates the tokens of a chat request. */
export function estimateChat(request: ChatRequest): TokenEstimate {
  const { messages, tools, max_completion_tokens, max_tokens, n } = request;
  const output = max_completion_tokens ?? max_tokens ?? OUTPUT_TOKENS;
  return {
    input: Math.ceil(bytesIn([messages, tools ?? null]) / BYTES_PER_TOKEN),
    output: Math.max(0, Math.ceil(output)) * Math.max(1, n ?? 1),
  };
}

/** Estimates the tokens of an embeddings request; a list of tokens is counted exactly. */
export function estimateEmbedding(input: EmbeddingRequest['input']): TokenEstimate {
  let tokens = 0;
  for (const one of input) {
    tokens += typeof one === 'string' ? Math.ceil(Buffer.byteLength(one) / BYTES_PER_TOKEN) : one.length;
  }
  return { input: tokens, output: 0 };
}

/** Returns the bytes of all strings in a value. Iterative, because a body may be nested arbitrarily deep. */
function bytesIn(value: unknown): number {
  const waiting: unknown[] = [value];
  let bytes = 0;
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === 'string') {
      bytes += next.startsWith('data:') ? MEDIA_BYTES : Buffer.byteLength(next);
    } else if (Array.isArray(next)) {
      for (const entry of next as unknown[]) waiting.push(entry);
    } else if (typeof next === 'object' && next !== null) {
      for (const [key, entry] of Object.entries(next)) {
        // The value of `data` is base64: audio in OpenAI's format, an image in Anthropic's.
        if (key === 'data' && typeof entry === 'string') bytes += MEDIA_BYTES;
        else if (key === 'provider_data') continue;
        else waiting.push(entry);
      }
    }
  }
  return bytes;
}
