import {
  fieldOf,
  kindOfStatus,
  ProviderError,
  type ProviderErrorKind,
  retryAfterMs,
  shorten,
  textField,
} from '../../port/index.js';

/** An answer that is no success. */
export interface OllamaFailure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body: `{"error": "…"}`, or whatever stands between us and the server made of it. */
  readonly text: string;
}

/** What the server answered instead of an answer. */
export function toProviderErrorOfStatus({ status, headers, text }: OllamaFailure): ProviderError {
  const reason = reasonOf(parse(text));
  return new ProviderError(
    kindOfReason(reason) ?? kindOfStatus(status),
    shorten(reason ?? `The provider answered with status ${status}.`),
    { retryAfterMs: retryAfterMs(retryHeaders(headers)) },
  );
}

/** An error that stands where an answer was to come, after a good status: the `error` of `{"error": "…"}`. */
export function toProviderErrorInStream(error: unknown): ProviderError {
  const reason = reasonOf({ error });
  return new ProviderError(
    kindOfReason(reason) ?? 'broken_answer',
    shorten(reason ?? 'The provider broke the answer off with an error.'),
  );
}

/** Why there was no answer at all. */
export function asUnreachable(cause: unknown): ProviderError {
  return new ProviderError('unreachable', 'The provider could not be reached.', { cause });
}

/** Why an answer that had begun could not be read to its end. */
export function asBrokenAnswer(cause: unknown): ProviderError {
  if (cause instanceof ProviderError) return cause;
  return new ProviderError('broken_answer', 'The connection to the provider broke off.', { cause });
}

/** The wire has no codes: what an error is about stands only in its sentence. */
function kindOfReason(reason: string | undefined): ProviderErrorKind | undefined {
  if (reason === undefined) return undefined;
  if (/\bmodel\b.*\bnot found\b/iu.test(reason)) return 'model_not_found';
  // Not 'context' alone: the server's own cancellations read 'context canceled' and 'context deadline exceeded'.
  if (/\bcontext (?:length|size|window|limit)\b/iu.test(reason)) return 'context_length_exceeded';
  return undefined;
}

/** The server writes a sentence; proxies in front of it write OpenAI's object. */
function reasonOf(body: unknown): string | undefined {
  const reason = textField(body, 'error') ?? textField(fieldOf(body, 'error'), 'message');
  return reason === '' ? undefined : reason;
}

function retryHeaders(raw: OllamaFailure['headers']): Headers {
  const headers = new Headers();
  for (const name of ['retry-after', 'retry-after-ms']) {
    const value = raw[name];
    if (typeof value === 'string') headers.set(name, value);
  }
  return headers;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
