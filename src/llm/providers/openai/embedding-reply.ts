import {
  type EmbeddingResult,
  getField,
  isErrorReport,
  parseReply,
  parseReplyCount,
  toHostError,
  invalidResponseError,
} from '../../port/index.js';
import { toIndex } from './reply-parts.js';

const FLOAT_BYTES = 4;

/**
 * Reads the response to an embeddings request. Returns lists of numbers regardless of the encoding: some hosts
 * send base64 if floats were requested, and vice versa.
 * @param count number of inputs
 * @throws ProviderError for an error with a success status, and for anything but one vector per input
 */
export function readOpenAiEmbeddings(text: string, count: number): EmbeddingResult {
  const value = parseReply(text);
  if (isErrorReport(value)) throw toHostError({ body: value });
  const data = Array.isArray(value) ? value : getField(value, 'data');
  if (!Array.isArray(data)) throw invalidResponseError('it has no list of vectors');
  const entries: readonly unknown[] = data;
  if (entries.length !== count)
    throw invalidResponseError(`it has ${entries.length} vectors for ${count} inputs`);
  const vectors = new Map<number, readonly number[]>();
  for (const [position, entry] of entries.entries()) {
    vectors.set(toIndex(getField(entry, 'index')) ?? position, toVector(entry));
  }
  const inOrder = Array.from({ length: count }, (_, index) => vectors.get(index));
  if (!inOrder.every((vector) => vector !== undefined))
    throw invalidResponseError('its vectors are not in order');
  // Not every host reports usage.
  const usage = getField(value, 'usage');
  return {
    vectors: inOrder,
    inputTokens: parseReplyCount(getField(usage, 'prompt_tokens') ?? getField(usage, 'total_tokens')),
  };
}

function toVector(entry: unknown): readonly number[] {
  const given = getField(entry, 'embedding') ?? entry;
  // llama.cpp's own route wraps the vector of a text in another list.
  const vector = Array.isArray(given) && given.length === 1 && Array.isArray(given[0]) ? given[0] : given;
  const numbers = typeof vector === 'string' ? fromBase64(vector) : vector;
  if (!isVector(numbers)) throw invalidResponseError('one of its vectors is not a list of numbers');
  return numbers;
}

/** Decodes little-endian float32 values, which is OpenAI's encoding. */
function fromBase64(text: string): readonly number[] | undefined {
  if (!/^[\w+/-]+={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.length % FLOAT_BYTES !== 0) return undefined;
  return Array.from({ length: bytes.length / FLOAT_BYTES }, (_, index) =>
    bytes.readFloatLE(index * FLOAT_BYTES),
  );
}

function isVector(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((number) => Number.isFinite(number));
}
