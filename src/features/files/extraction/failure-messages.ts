import type { ExtractionFailure } from './extracted-text.js';

/** Sentences for the owner of a document whose text could not be extracted: the reason, and what to do about it. */
export const EXTRACTION_FAILURE_MESSAGES = {
  encrypted: 'The document is protected by a password. Upload it without the password.',
  no_text_layer:
    'The document has no text: its pages are images. Upload a version with text, for example after text recognition (OCR).',
  damaged:
    'The document is damaged, or it is not what its first bytes say. Open it in its own program, save it again and upload the new version.',
  too_large:
    'The document is too large for text extraction: it needs more memory, characters or archive entries than the server allows. Split it into smaller documents.',
  too_many_pages: 'The document has more pages than the server allows. Split it into smaller documents.',
  timeout: 'Extracting the text of the document took too long. Split it into smaller documents.',
  unsupported_type:
    'The text of files of this type or encoding cannot be extracted. Supported are PDF, DOCX, HTML, Markdown, plain text, CSV and JSON. Save text in UTF-8.',
  empty: 'The document has no content.',
} as const satisfies Record<ExtractionFailure, string>;
