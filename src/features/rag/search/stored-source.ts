import type { AnswerSource, SourcePassage } from './answer-source.js';

/**
 * A source as it is stored with an answer: by the key of its passage. The text and the title are read when it is shown,
 * because they must be gone once the document is deleted or no longer shared.
 */
export interface StoredSource extends Omit<SourcePassage, 'title' | 'text'> {
  readonly index: number;
  readonly ingestionId: string;
  readonly ordinal: number;
}

/** Converts a source to what is stored of it. */
export function toStoredSource({ index, hit }: AnswerSource): StoredSource {
  const { documentId, collectionId, ingestionId, ordinal, page, start, end, rows, score } = hit;
  return { index, documentId, collectionId, ingestionId, ordinal, page, start, end, rows, score };
}

/** Reads a source from its column; undefined for anything else. */
export function parseStoredSource(value: unknown): StoredSource | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const text = (name: string): string | undefined => {
    const field = fields.get(name);
    return typeof field === 'string' ? field : undefined;
  };
  const number = (name: string): number | undefined => {
    const field = fields.get(name);
    return typeof field === 'number' ? field : undefined;
  };
  const [documentId, collectionId, ingestionId] = ['documentId', 'collectionId', 'ingestionId'].map(text);
  const [index, ordinal, start, end, score] = ['index', 'ordinal', 'start', 'end', 'score'].map(number);
  if (documentId === undefined || collectionId === undefined || ingestionId === undefined) return undefined;
  if (index === undefined || ordinal === undefined || start === undefined) return undefined;
  if (end === undefined || score === undefined) return undefined;
  const page = number('page') ?? null;
  const rows = parseRows(fields.get('rows'));
  return { index, documentId, collectionId, ingestionId, ordinal, page, start, end, rows, score };
}

function parseRows(value: unknown): StoredSource['rows'] {
  if (typeof value !== 'object' || value === null || !('first' in value) || !('last' in value)) return null;
  const { first, last } = value;
  return typeof first === 'number' && typeof last === 'number' ? { first, last } : null;
}
