import type { ChatRequest, EmbeddingRequest } from '../port/index.js';

/** Bytes of a text that are taken for a token. */
const BYTES_PER_TOKEN = 4;

/** Tokens of an answer whose length nobody bounded. */
const OUTPUT_TOKENS = 1024;

/** Bytes that an image, a sound or a document stands for: its own have nothing to do with its tokens. */
const MEDIA_BYTES = 4096;

/** What a call may take, by estimate. No tokenizer: it would cost more than everything else about a request. */
export interface TokenEstimate {
  readonly input: number;
  readonly output: number;
}

/** What a chat may take. */
export function estimateChat(request: ChatRequest): TokenEstimate {
  const { messages, tools, max_completion_tokens, max_tokens, n } = request;
  const output = max_completion_tokens ?? max_tokens ?? OUTPUT_TOKENS;
  return {
    input: Math.ceil(bytesIn([messages, tools ?? null]) / BYTES_PER_TOKEN),
    output: Math.max(0, Math.ceil(output)) * Math.max(1, n ?? 1),
  };
}

/** What vectors of texts take; a list of tokens is its own count. */
export function estimateEmbedding(input: EmbeddingRequest['input']): TokenEstimate {
  let tokens = 0;
  for (const one of input) {
    tokens += typeof one === 'string' ? Math.ceil(Buffer.byteLength(one) / BYTES_PER_TOKEN) : one.length;
  }
  return { input: tokens, output: 0 };
}

/** The bytes of all texts in a value. Goes through it without recursion: a body may be nested as deep as it likes. */
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
        // What is behind `data` is base64: a sound in OpenAI's words, an image in Anthropic's.
        if (key === 'data' && typeof entry === 'string') bytes += MEDIA_BYTES;
        else if (key === 'provider_data') continue;
        else waiting.push(entry);
      }
    }
  }
  return bytes;
}
