import type { SearchHit } from './search-request.js';

/** A passage as it is shown with an answer. */
export interface SourcePassage {
  readonly documentId: string;
  readonly collectionId: string;
  /** Null if the passage no longer exists, or may no longer be read. */
  readonly title: string | null;
  readonly text: string | null;
  readonly page: number | null;
  /** Span in the text of the page, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  readonly rows: { readonly first: number; readonly last: number } | null;
  readonly score: number;
}

/** A source of an answer as it is shown. */
export interface ShownSource {
  /** Its number in the answer, from 1. */
  readonly index: number;
  readonly hit: SourcePassage;
}

/** A passage that an answer may cite. */
export interface AnswerSource extends ShownSource {
  readonly hit: SearchHit;
}

/** Numbers passages in the order of their rank. */
export function numberSources(hits: readonly SearchHit[]): AnswerSource[] {
  return hits.map((hit, position) => ({ index: position + 1, hit }));
}

/** Returns a description of a source for people: its title, and its page or rows. */
export function describeSource({ hit: { title, page, rows } }: AnswerSource): string {
  if (rows !== null) return `${title}, rows ${rows.first}–${rows.last}`;
  return page === null ? title : `${title}, page ${page}`;
}
