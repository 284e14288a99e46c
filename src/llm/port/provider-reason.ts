import type { ProviderErrorKind } from './provider-error.js';

/** Longest reason of a provider that we pass on, in characters. */
const MAX_REASON_LENGTH = 500;

/** What looks like a key: careless hosts quote the one that they were sent, which is ours. */
const SECRET = /\b(sk|pk|xai|gsk)[-_][\w-]{6,}|(?<=bearer\s+)[^\s"']+/gi;

/** Said of an answer whose text is not the JSON that it was to be. */
export const NOT_JSON = 'The model provider answered with something that is not JSON.';

/** A provider's own sentence as it can be passed on: without keys, and cut where it is too long. */
export function shorten(sentence: string): string {
  const text = sentence.replace(SECRET, '[removed]');
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

/** What an HTTP status says, where the body says nothing better. */
export function kindOfStatus(status: number): ProviderErrorKind {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'model_not_found';
  if (status === 408 || status === 504) return 'timed_out';
  if (status === 429) return 'rate_limited';
  if (status === 400 || status === 413 || status === 422) return 'rejected';
  // 409: what the request needs is locked, for now.
  return status === 409 || status === 503 || status === 529 ? 'unavailable' : 'broken_answer';
}
