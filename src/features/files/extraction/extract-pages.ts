import type { TextFormat } from './extracted-text.js';
import { readDocx } from './docx-text.js';
import type { ExtractionLimits } from './extraction-protocol.js';
import { htmlToReadableText } from './html-text.js';
import type { ParsedPage } from './parsed-page.js';
import { readPdfPages } from './pdf-pages.js';
import { decodeText } from './text-encoding.js';

/**
 * Yields the pages of a document in order.
 * @throws ExtractionError with the reason, or any other error if the document is damaged
 */
export async function* extractPages(
  format: TextFormat,
  bytes: Uint8Array,
  limits: ExtractionLimits,
): AsyncGenerator<ParsedPage> {
  switch (format) {
    case 'pdf':
      yield* readPdfPages(bytes, limits);
      return;
    case 'docx':
      yield { text: htmlToReadableText(await readDocx(bytes, limits)) };
      return;
    case 'html':
      yield { text: htmlToReadableText(decodeText(bytes, { html: true })) };
      return;
    case 'text':
      yield { text: decodeText(bytes) };
  }
}
