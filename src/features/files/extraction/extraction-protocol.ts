import {
  EXTRACTION_FAILURES,
  type ExtractionFailure,
  type ExtractionWarning,
  PAGE_WARNINGS,
  TEXT_FORMATS,
  type TextFormat,
} from './extracted-text.js';

/** Limits that a process for text extraction keeps by itself. */
export interface ExtractionLimits {
  /** Maximum growth of the memory of the process since its start, in bytes. */
  readonly memoryBytes: number;
  readonly maxPages: number;
  /** Maximum length of the text, in UTF-16 units. */
  readonly maxCharacters: number;
  /** Maximum entries of an archive. */
  readonly maxEntries: number;
  /** Maximum bytes of the inflated entries of an archive. */
  readonly maxInflatedBytes: number;
}

/** Message to a process for text extraction. */
export type ExtractionRequest =
  | { readonly type: 'document'; readonly format: TextFormat }
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  | { readonly type: 'end' };

/** Message from a process for text extraction. */
export type ExtractionReply =
  /** It waits for a document. */
  | { readonly type: 'ready' }
  /** It waits for the bytes of the document. */
  | { readonly type: 'accepted' }
  /** The next page, in order. */
  | { readonly type: 'page'; readonly text: string }
  /** All pages have been sent. */
  | { readonly type: 'complete'; readonly warnings: readonly ExtractionWarning[]; readonly reusable: boolean }
  | { readonly type: 'failed'; readonly error: ExtractionFailure; readonly reusable: boolean };

/** Signal by which a process for text extraction ends when it exceeds its memory limit; Node does not use it. */
export const MEMORY_EXCEEDED_SIGNAL = 'SIGUSR2';

/** Interval at which the memory is measured, in milliseconds. */
export const WATCH_MS = 25;

/**
 * Returns the message that a process for text extraction has sent, or undefined if it is malformed. Such a process has
 * read a hostile document, so nothing of its messages is trusted.
 */
export function parseExtractionReply(message: unknown): ExtractionReply | undefined {
  if (!isRecord(message)) return undefined;
  const { type } = message;
  switch (type) {
    case 'ready':
    case 'accepted':
      return { type };
    case 'page': {
      const { text } = message;
      return typeof text === 'string' ? { type, text } : undefined;
    }
    case 'complete': {
      const warnings = parseWarnings(message['warnings']);
      return warnings && { type, warnings, reusable: message['reusable'] === true };
    }
    case 'failed': {
      const error = EXTRACTION_FAILURES.find((failure) => failure === message['error']);
      return error && { type, error, reusable: message['reusable'] === true };
    }
    default:
      return undefined;
  }
}

/** Returns the message to a process for text extraction, or undefined if it is malformed. */
export function parseExtractionRequest(message: unknown): ExtractionRequest | undefined {
  if (!isRecord(message)) return undefined;
  const { type } = message;
  switch (type) {
    case 'document': {
      const format = TEXT_FORMATS.find((each) => each === message['format']);
      return format && { type, format };
    }
    case 'bytes': {
      const { bytes } = message;
      return bytes instanceof Uint8Array ? { type, bytes } : undefined;
    }
    case 'end':
      return { type };
    default:
      return undefined;
  }
}

/** Returns the limits that `serializeLimits` has written. */
export function parseLimits(json: string): ExtractionLimits {
  const value: unknown = JSON.parse(json);
  const record = isRecord(value) ? value : {};
  const read = (name: keyof ExtractionLimits): number => {
    const limit = record[name];
    if (typeof limit !== 'number') throw new TypeError(`The limit ${name} is missing.`);
    return limit;
  };
  return {
    memoryBytes: read('memoryBytes'),
    maxPages: read('maxPages'),
    maxCharacters: read('maxCharacters'),
    maxEntries: read('maxEntries'),
    maxInflatedBytes: read('maxInflatedBytes'),
  };
}

/** Returns the limits as an argument of a program. */
export function serializeLimits(limits: ExtractionLimits): string {
  const { memoryBytes, maxPages, maxCharacters, maxEntries, maxInflatedBytes } = limits;
  return JSON.stringify({ memoryBytes, maxPages, maxCharacters, maxEntries, maxInflatedBytes });
}

function parseWarnings(value: unknown): readonly ExtractionWarning[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const warnings: ExtractionWarning[] = [];
  for (const each of value as readonly unknown[]) {
    if (!isRecord(each) || !Array.isArray(each['pages'])) return undefined;
    const pages: readonly unknown[] = each['pages'];
    const code = PAGE_WARNINGS.find((warning) => warning === each['code']);
    if (code === undefined || !pages.every((page) => typeof page === 'number')) return undefined;
    warnings.push({ code, pages });
  }
  return warnings;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
