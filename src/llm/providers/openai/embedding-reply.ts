import { type EmbeddingResult, fieldOf, ProviderError } from '../../port/index.js';

/**
 * Reads the vectors of a host's reply, in the order of the input.
 * @throws ProviderError `broken_answer` if there are none
 */
export function toVectors(text: string): EmbeddingResult {
  const reply: unknown = JSON.parse(text);
  const data = fieldOf(reply, 'data');
  if (!Array.isArray(data) || !data.every(isEmbedding)) {
    throw new ProviderError(
      'broken_answer',
      'The provider answered with something that is no list of vectors.',
    );
  }
  const vectors = data.toSorted((one, other) => one.index - other.index).map(({ embedding }) => embedding);
  // Not every host reports it.
  const tokens = fieldOf(fieldOf(reply, 'usage'), 'prompt_tokens');
  return { vectors, inputTokens: isCount(tokens) ? tokens : undefined };
}

function isEmbedding(
  value: unknown,
): value is { readonly index: number; readonly embedding: readonly number[] } {
  const vector = fieldOf(value, 'embedding');
  return (
    typeof fieldOf(value, 'index') === 'number' &&
    Array.isArray(vector) &&
    vector.every((entry) => typeof entry === 'number')
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
