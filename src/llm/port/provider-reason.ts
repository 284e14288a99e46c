/** Longest reason of a provider that we pass on, in characters. */
const MAX_REASON_LENGTH = 500;

/**
 * Text that looks like a key: careless hosts quote the one that they were sent, which is ours, and some with stars in it.
 * The prefixes are those of OpenAI, Anthropic, DeepSeek and OpenRouter (sk), xAI, Groq, NVIDIA, Fireworks, Cerebras,
 * Hugging Face, Replicate and Gemini (AIza); then what follows a word for a key, and passwords of URLs.
 */
const SECRET =
  /\b(?:sk|pk|xai|gsk|nvapi|fw|csk|hf|r8)[-_][\w*-]{6,}|\bAIza[\w*-]{8,}|(?<=\bbearer\s{1,9})[^\s"',;]+|(?<=\b(?:api[ _-]?key|access token)(?: provided)?\s?[:=]\s?["']?)[\w*.+/=-]{6,}|(?<=:\/\/)[^\s/@]+(?=@)/giu;

/** Longest part of a sentence that is looked at, in UTF-16 units. */
const MAX_READ_LENGTH = 4_000;

/**
 * Returns a provider's own sentence as it can be passed on: in one line, without keys, and cut if it is too long.
 * @param secret the key that was sent with the request
 */
export function shorten(sentence: string, secret?: string): string {
  const line = sentence.slice(0, MAX_READ_LENGTH).replaceAll(/\s+/gu, ' ').trim();
  // A key may have any form. One of a few characters would take words out of the sentence instead.
  const known = secret !== undefined && secret.length >= 8 ? line.replaceAll(secret, '[removed]') : line;
  const text = known.replaceAll(SECRET, '[removed]');
  return text.length <= MAX_REASON_LENGTH ? text : `${text.slice(0, MAX_REASON_LENGTH)}…`;
}

/** A text in an answer whose shape nobody vouches for. */
export function textField(value: unknown, name: string): string | undefined {
  const field = fieldOf(value, name);
  return typeof field === 'string' ? field : undefined;
}

/** A field of an answer whose shape nobody vouches for. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** When to ask again, in milliseconds: `retry-after-ms`, else `retry-after` in seconds or as a date (RFC 9110, section 10.2.3). */
export function retryAfterMs(headers: Headers | undefined): number | undefined {
  const exact = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const value = headers?.get('retry-after');
  if (value === null || value === undefined) return undefined;
  const ms = Number.isFinite(Number(value)) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
