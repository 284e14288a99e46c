import type { TextFormat } from './extraction/extracted-text.js';

/** Media types of text other than `text/…`. */
const JSON_TYPE = 'application/json';

/** Returns the format by which the text of files of a media type is extracted; null if they have no text. */
export function textFormatOf(mediaType: string): TextFormat | null {
  if (mediaType === 'application/pdf') return 'pdf';
  if (mediaType === 'text/html') return 'html';
  return mediaType === JSON_TYPE || mediaType.startsWith('text/') ? 'text' : null;
}
