/** A chunk before it is stored. */
export interface ChunkDraft {
  /** Position in the document, from 0. */
  readonly ordinal: number;
  /** Number of the page, from 1. */
  readonly page: number;
  /** Span in the text of the page, in UTF-16 units: `slice(start, end)` is the text. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /**
   * Text that is indexed before its own and is not part of the span: the headings that it belongs to, the header of a
   * table. Ends with a line break, or is empty.
   */
  readonly prefix: string;
  /** Of the prefix and the text, by our count. */
  readonly tokens: number;
  /** Rows of a CSV file that it has, from 1 after the header; both inclusive. */
  readonly rows?: { readonly first: number; readonly last: number };
}
