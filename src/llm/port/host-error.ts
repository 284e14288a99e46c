import { classifyError, type ErrorSignals } from './error-table.js';
import { ProviderError } from './provider-error.js';
import { getField, retryAfterMs, sanitizeMessage, getStringField } from './provider-reason.js';

/** An error as a host reports it. */
export interface HostFailure {
  /**
   * HTTP status of the response; undefined for an error reported inside a response that started successfully.
   */
  readonly status?: number | undefined;
  /** The report: parsed JSON, or the text of a body. */
  readonly body: unknown;
  readonly headers?: Headers | undefined;
  /** The key that was sent, to be removed wherever the host quotes it. */
  readonly secret?: string | undefined;
  readonly cause?: unknown;
}

/** Maximum length of a message that is examined, in UTF-16 code units. */
const MAX_SENTENCE = 4_000;

/** Maximum nesting depth that is read of a report, and maximum number of list entries. */
const MAX_DEPTH = 6;
const MAX_ENTRIES = 10;

/** Fields that hold a status as a number or as its digits. */
const STATUS_FIELDS = ['code', 'status', 'status_code', 'statusCode', 'error_code'] as const;

/** Fields that hold a code for the kind of failure. */
const WORD_FIELDS = ['code', 'type', 'status', 'error_type', 'error_code', 'reason'] as const;

/**
 * Fields that hold the message, or an object or list that does, the most direct first. FastAPI, NVIDIA and
 * Mistral use `detail`, Cloudflare `errors`, Together and SGLang `message` at the top level, TGI, xAI and
 * Ollama a string as `error`.
 */
const SENTENCE_FIELDS = [
  'message',
  'msg',
  'error',
  'detail',
  'errors',
  'error_message',
  'error_msg',
  'error_description',
  'description',
  'title',
  'reason',
] as const;

/** Fields with an object that holds the messages by the name of the field that they are about. */
const BY_FIELD = ['errors', 'detail'] as const;

/** Fields that hold the message as a string if a value with a success status is an error. */
const REPORTED_FIELDS = ['msg', 'error_message', 'error_msg', 'error_description'] as const;

const ERROR_STATES: ReadonlySet<unknown> = new Set(['error', 'fail', 'failed', 'failure']);

/** Matches the beginning of a JSON list, object or string. */
const BEGINS_JSON = /^\s*[[{"]/;

/** Matches the element of an XML document that holds the message, as a CDATA section or as text. */
const XML_MESSAGE =
  /<(?:\w{1,40}:)?(?:message|msg|description|detail|reason|faultstring|error)>\s{0,200}(?:<!\[CDATA\[(.{1,1000}?)\]\]>|([^<\s][^<]{0,1000})<)/isu;

/** Messages without content: OpenRouter puts the upstream's own report into `metadata.raw`. */
const EMPTY_SENTENCE =
  /^(?:provider returned error|error|bad request|internal server error|not found|about:blank)\.?$/iu;

/**
 * Converts a host's error to one of our kinds, with the host's own message. All providers share this function;
 * error-table.ts lists the known codes and messages of each host.
 */
export function toHostError({ status, body, headers, secret, cause }: HostFailure): ProviderError {
  const report = new Report();
  report.read(body);
  const kind = classifyError(report.facts(status));
  const sentence = report.sentence();
  return new ProviderError(
    kind ?? 'broken_answer',
    sanitizeMessage(sentence ?? defaultSentence(status), secret),
    {
      retryAfterMs: retryAfterMs(headers),
      // Only the host's message says what has failed.
      isSpecific: kind === undefined && sentence !== undefined,
      cause,
    },
  );
}

/**
 * Returns true if a JSON value that came with a success status is an error report: llama.cpp, OpenRouter and
 * many proxies send those. `error` counts if it is not empty; the other shapes count only if the value is no
 * answer.
 */
export function isErrorReport(value: unknown): boolean {
  if (Array.isArray(value))
    return value.length > 0 && value.every((entry) => saysSomething(getField(entry, 'error')));
  if (saysSomething(getField(value, 'error'))) return true;
  const choices = getField(value, 'choices') ?? undefined;
  if (typeof choices === 'object' || Array.isArray(getField(value, 'data'))) return false;
  if (getField(value, 'object') === 'error' || getField(value, 'type') === 'error') return true;
  if (saysSomething(getField(value, 'errors')) || saysSomething(getField(value, 'detail'))) return true;
  if (getField(value, 'success') === false || ERROR_STATES.has(getField(value, 'status'))) return true;
  if (STATUS_FIELDS.some((name) => toStatus(getField(value, name)) !== undefined)) return true;
  if (REPORTED_FIELDS.some((name) => Boolean(getStringField(value, name)))) return true;
  return typeof getField(value, 'message') === 'string' && choices === undefined;
}

/** Returns false for the values of `error` without content that hosts send beside an answer. */
function saysSomething(error: unknown, depth = 0): boolean {
  if (typeof error === 'string') return error.trim() !== '';
  if (typeof error !== 'object' || error === null) return Boolean(error);
  return depth > MAX_DEPTH || Object.values(error).some((value) => saysSomething(value, depth + 1));
}

/** Collects the facts from an error report. */
class Report {
  private readonly statuses: number[] = [];
  private readonly words: string[] = [];
  private readonly sentences: string[] = [];

  read(body: unknown, depth = 0): void {
    if (depth > MAX_DEPTH) return;
    if (typeof body === 'string') this.readText(body, depth);
    else if (Array.isArray(body)) this.readList(body, depth);
    else if (typeof body === 'object' && body !== null) this.readObject(body, depth);
  }

  /** Returns the message for the caller: the first one with content. */
  sentence(): string | undefined {
    return this.sentences.find((sentence) => !EMPTY_SENTENCE.test(sentence)) ?? this.sentences[0];
  }

  /**
   * Returns the facts for the classification. A status inside the report overrides an unspecific HTTP status
   * (400, 500, 502).
   * @param status of the response
   */
  facts(status: number | undefined): ErrorSignals {
    const { words, sentences } = this;
    const [named] = this.statuses;
    const vague = status === undefined || status === 400 || status === 500 || status === 502;
    return { status: vague ? (named ?? status) : status, words, sentences };
  }

  private readText(text: string, depth: number): void {
    const trimmed = text.trim();
    const value = BEGINS_JSON.test(trimmed) ? parse(trimmed) : undefined;
    if (value !== undefined) {
      this.read(value, depth + 1);
      return;
    }
    const sentence = (trimmed.startsWith('<') ? textOfPage(trimmed) : trimmed).slice(0, MAX_SENTENCE);
    if (sentence !== '') this.sentences.push(sentence);
  }

  private readList(list: readonly unknown[], depth: number): void {
    const entries = list.slice(0, MAX_ENTRIES);
    const faults = entries.map(toFault).filter((fault) => fault !== undefined);
    const texts = entries.filter((entry) => typeof entry === 'string' && !BEGINS_JSON.test(entry));
    if (faults.length > 0) this.sentences.push(faults.join('; '));
    else if (texts.length > 0 && texts.length === entries.length) this.readText(texts.join('; '), depth);
    else for (const entry of entries) this.read(entry, depth + 1);
  }

  private readObject(value: object, depth: number): void {
    for (const name of STATUS_FIELDS) {
      const status = toStatus(getField(value, name));
      if (status !== undefined) this.statuses.push(status);
    }
    for (const name of WORD_FIELDS) {
      const word = getField(value, name);
      if (typeof word === 'string') this.words.push(word.slice(0, MAX_SENTENCE));
    }
    for (const name of SENTENCE_FIELDS) this.read(getField(value, name), depth + 1);
    if (this.sentences.length === 0) {
      for (const name of BY_FIELD) this.sentences.push(...toFieldFaults(getField(value, name)));
    }
    this.read(getField(getField(value, 'metadata'), 'raw'), depth + 1);
    this.readWords(getField(value, 'innererror'));
    const details = getField(value, 'details');
    if (Array.isArray(details)) for (const detail of details.slice(0, MAX_ENTRIES)) this.readWords(detail);
  }

  /** Reads the codes beside the message: Azure's `innererror`, Gemini's `details`. */
  private readWords(value: unknown): void {
    for (const name of ['code', 'reason'] as const) {
      const word = getField(value, name);
      if (typeof word === 'string') this.words.push(word.slice(0, MAX_SENTENCE));
    }
  }
}

/** Formats messages that are listed by field: `{"temperature":["…","…"]}`. */
function toFieldFaults(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const faults = Object.entries(value).flatMap(([field, given]: [string, unknown]) => {
    const list: readonly unknown[] = Array.isArray(given) ? given : [given];
    const texts = list.slice(0, MAX_ENTRIES).filter((text) => typeof text === 'string' && text !== '');
    return texts.length === 0 ? [] : [`${field}: ${texts.join(', ')}`];
  });
  return faults.length === 0 ? [] : [faults.slice(0, MAX_ENTRIES).join('; ').slice(0, MAX_SENTENCE)];
}

/** Formats an entry of FastAPI's list of validation errors as a message: `{"loc":["body","n"],"msg":"…"}`. */
function toFault(entry: unknown): string | undefined {
  const [loc, msg] = [getField(entry, 'loc'), getField(entry, 'msg')];
  if (typeof msg !== 'string' || msg === '') return undefined;
  const place = Array.isArray(loc)
    ? loc.filter((part) => typeof part === 'string' || typeof part === 'number')
    : [];
  const sentence = place.length === 0 ? msg : `${place.join('.')}: ${msg}`;
  return sentence.slice(0, MAX_SENTENCE);
}

function toStatus(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 400 && number <= 599
    ? number
    : undefined;
}

/** Returns the title of an HTML page or its first heading, the message of an XML document, or an empty string. */
function textOfPage(page: string): string {
  const beginning = page.slice(0, MAX_SENTENCE);
  const [, title] = /<(?:title|h1)\b[^>]{0,200}>([^<]{1,300})</iu.exec(beginning) ?? [];
  const [, marked, plain] = title === undefined ? (XML_MESSAGE.exec(beginning) ?? []) : [];
  return (title ?? marked ?? plain ?? '').replaceAll(/\s+/gu, ' ').trim();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function defaultSentence(status: number | undefined): string {
  return status === undefined
    ? 'The provider ended the answer with an error.'
    : `The provider responded with status ${String(status)}.`;
}
