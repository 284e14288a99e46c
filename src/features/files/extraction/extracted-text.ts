/**
 * Formats by which text is extracted from bytes. `text` covers everything that is text already: plain text, Markdown,
 * CSV and JSON.
 */
export const TEXT_FORMATS = ['pdf', 'docx', 'html', 'text'] as const;

/** A format by which text is extracted from bytes. */
export type TextFormat = (typeof TEXT_FORMATS)[number];

/** Reasons for which a document has no text; each is also an error code of the API. */
export const EXTRACTION_FAILURES = [
  'encrypted',
  'no_text_layer',
  'damaged',
  'too_large',
  'too_many_pages',
  'timeout',
  'unsupported_type',
  'empty',
] as const;

/** A reason for which a document has no text. */
export type ExtractionFailure = (typeof EXTRACTION_FAILURES)[number];

/** Problems of some pages of a document whose text could be extracted otherwise. */
export const PAGE_WARNINGS = ['no_text_layer', 'damaged'] as const;

/** A problem of some pages of a document. */
export type PageWarning = (typeof PAGE_WARNINGS)[number];

/** A page of an extracted text. */
export interface ExtractedPage {
  /** Counted from 1. */
  readonly page: number;
  /** In NFC, without NUL and lone surrogates. Spans of documents refer to this text, in UTF-16 units. */
  readonly text: string;
}

/** A warning with the pages that it is about, in ascending order. */
export interface ExtractionWarning {
  readonly code: PageWarning;
  readonly pages: readonly number[];
}

/** Result of an extraction. */
export type ExtractedText =
  | {
      readonly status: 'ready';
      /** All pages in order; formats without pages have one. */
      readonly pages: readonly ExtractedPage[];
      readonly warnings: readonly ExtractionWarning[];
    }
  | { readonly status: 'failed'; readonly error: ExtractionFailure };
