import type { StoredFile } from '../../files/index.js';
import type { ChunkingFormat } from '../model/chunker.js';

/** Structure of a text, by the media type of its file. */
const FORMATS: ReadonlyMap<string, ChunkingFormat> = new Map<string, ChunkingFormat>([
  ['text/markdown', 'markdown'],
  ['text/x-markdown', 'markdown'],
  ['text/csv', 'csv'],
  ['application/json', 'json'],
]);

/** Structure of a plain text, by the end of the name of its file. Many clients declare no better type. */
const FORMATS_BY_NAME: ReadonlyMap<string, ChunkingFormat> = new Map<string, ChunkingFormat>([
  ['md', 'markdown'],
  ['markdown', 'markdown'],
  ['csv', 'csv'],
  ['json', 'json'],
]);

/** Returns the structure by which the text of a file is divided. */
export function chunkFormatOf({
  textFormat,
  mediaType,
  name,
}: Pick<StoredFile, 'textFormat' | 'mediaType' | 'name'>): ChunkingFormat {
  if (textFormat !== null && textFormat !== 'text') return textFormat;
  const known = FORMATS.get(mediaType);
  if (known !== undefined || mediaType !== 'text/plain') return known ?? 'text';
  const extension = /\.([a-z]{2,8})$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  return FORMATS_BY_NAME.get(extension) ?? 'text';
}
