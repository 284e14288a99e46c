import {
  type EmbeddingResult,
  fieldOf,
  isErrorReport,
  parseReply,
  toCount,
  toHostError,
  unreadableAnswer,
} from '../../port/index.js';
import { toIndex } from './reply-parts.js';

const FLOAT_BYTES = 4;

/**
 * Reads the answer to a request for vectors. They come as lists of numbers whatever was asked for: hosts answer in
 * base64 where floats were wanted, and the other way round.
 * @param count of the inputs
 * @throws ProviderError for an error with a good status, and for what is not one vector for each input
 */
export function readEmbeddings(text: string, count: number): EmbeddingResult {
  const value = parseReply(text);
  if (isErrorReport(value)) throw toHostError({ body: value });
  const data = Array.isArray(value) ? value : fieldOf(value, 'data');
  if (!Array.isArray(data)) throw unreadableAnswer('it has no list of vectors');
  const entries: readonly unknown[] = data;
  if (entries.length !== count)
    throw unreadableAnswer(`it has ${entries.length} vectors for ${count} inputs`);
  const vectors = new Map<number, readonly number[]>();
  for (const [position, entry] of entries.entries()) {
    vectors.set(toIndex(fieldOf(entry, 'index')) ?? position, toVector(entry));
  }
  const inOrder = Array.from({ length: count }, (_, index) => vectors.get(index));
  if (!inOrder.every((vector) => vector !== undefined))
    throw unreadableAnswer('its vectors are not in order');
  // Not every host tells it.
  const usage = fieldOf(value, 'usage');
  return {
    vectors: inOrder,
    inputTokens: toCount(fieldOf(usage, 'prompt_tokens') ?? fieldOf(usage, 'total_tokens')),
  };
}

function toVector(entry: unknown): readonly number[] {
  const given = fieldOf(entry, 'embedding') ?? entry;
  // llama.cpp's own route puts the vector of a text into a list of its own.
  const vector = Array.isArray(given) && given.length === 1 && Array.isArray(given[0]) ? given[0] : given;
  const numbers = typeof vector === 'string' ? fromBase64(vector) : vector;
  if (!isVector(numbers)) throw unreadableAnswer('one of its vectors is not a list of numbers');
  return numbers;
}

/** Little-endian float32, as OpenAI encodes it. */
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
