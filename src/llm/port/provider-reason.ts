/** Maximum length of a provider's message that is passed on, in characters. */
const MAX_REASON_LENGTH = 500;

/**
 * Matches text that looks like a key: careless hosts quote the key that they received, which is ours, some of
 * them partly masked with asterisks. The prefixes are those of OpenAI, Anthropic, DeepSeek and OpenRouter (sk),
 * xAI, Groq, NVIDIA, Fireworks, Cerebras, Hugging Face, Replicate and Gemini (AIza). Also matches text that
 * follows a term for a key, and passwords in URLs.
 */
const SECRET =
  /\b(?:sk|pk|xai|gsk|nvapi|fw|csk|hf|r8)[-_][\w*-]{6,}|\bAIza[\w*-]{8,}|(?<=\bbearer\s{1,9})[^\s"',;]+|(?<=\b(?:api[ _-]?key|access token)(?: provided)?\s?[:=]\s?["']?)[\w*.+/=-]{6,}|(?<=:\/\/)[^\s/@]+(?=@)/giu;

/** Maximum length of a message that is examined, in UTF-16 code units. */
const MAX_READ_LENGTH = 4_000;

/**
 * Sanitizes a provider's message so that it can be passed on: on one line, without keys, and truncated if it is
 * too long.
 * @param secret the key that was sent with the request
 */
export function sanitizeMessage(sentence: string, secret?: string): string {
  const line = sentence.slice(0, MAX_READ_LENGTH).replaceAll(/\s+/gu, ' ').trim();
  // A key may have any form. Removing one of only a few characters would remove ordinary words from the
  // message.
  const known = secret !== undefined && secret.length >= 8 ? line.replaceAll(secret, '[removed]') : line;
  const text = known.replaceAll(SECRET, '[removed]');
  return text.length <= MAX_REASON_LENGTH ? text : `${text.slice(0, MAX_REASON_LENGTH)}…`;
}

/** Returns a string field of a value of unverified shape. */
export function getStringField(value: unknown, name: string): string | undefined {
  const field = getField(value, name);
  return typeof field === 'string' ? field : undefined;
}

/** Returns a field of a value of unverified shape. */
export function getField(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/**
 * Returns the delay before the next attempt, in milliseconds: `retry-after-ms`, else `retry-after` in seconds
 * or as a date (RFC 9110, section 10.2.3).
 */
export function retryAfterMs(headers: Headers | undefined): number | undefined {
  const exact = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const value = headers?.get('retry-after');
  if (value === null || value === undefined) return undefined;
  const ms = Number.isFinite(Number(value)) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
