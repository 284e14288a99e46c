import type { ChunkToEmbed } from '../chunks/chunk.repository.js';

/**
 * Bounds of a request for embeddings, below those of the common providers: Cohere accepts 96 texts, OpenAI 2,048 with
 * 300,000 tokens, Voyage 120,000 tokens, and proxies in front of them often 1 MB.
 */
export const EMBEDDING_BOUNDS = { texts: 96, tokens: 100_000, bytes: 1_000_000 } as const;

/** Returns the first of the chunks that fit in one request; always at least one. */
export function takeEmbeddingBatch(
  chunks: readonly ChunkToEmbed[],
  maxTexts: number = EMBEDDING_BOUNDS.texts,
): readonly ChunkToEmbed[] {
  let tokens = 0;
  let bytes = 0;
  const end = chunks.findIndex((chunk, index) => {
    tokens += chunk.tokens;
    bytes += Buffer.byteLength(chunk.text);
    const fits = index < maxTexts && tokens <= EMBEDDING_BOUNDS.tokens && bytes <= EMBEDDING_BOUNDS.bytes;
    return !fits && index > 0;
  });
  return end === -1 ? chunks : chunks.slice(0, end);
}

/** Returns the first half of a text, without half of a character. */
export function firstHalf(text: string): string {
  const half = text.slice(0, Math.ceil(text.length / 2));
  return half.isWellFormed() ? half : half.slice(0, -1);
}

/** Scales a vector to length 1. One without a direction stays as it is; undefined if it is not made of numbers. */
export function normalizeVector(vector: readonly number[]): readonly number[] | undefined {
  const length = Math.hypot(...vector);
  if (!Number.isFinite(length)) return undefined;
  return length === 0 ? vector : vector.map((value) => value / length);
}
