import type { FileTextBody } from './file-text.dto.js';
import type { OpenedText } from './file-text.service.js';

/** Length of a piece at which it is written, in UTF-16 units. */
const PIECE_LENGTH = 65_536;

/** Renders a text as the JSON of a {@link FileTextBody}, piece by piece, so that it is never in memory as a whole. */
export async function* renderTextBody({
  pageCount,
  warnings,
  readParts,
}: OpenedText): AsyncGenerator<string> {
  const head: Omit<FileTextBody, 'pages'> = {
    page_count: pageCount,
    warnings: warnings.map(({ code, pages }) => ({ code, pages: [...pages] })),
  };
  // The first piece has text already, so that a failure to read it has its own status.
  let piece = `${JSON.stringify(head).slice(0, -1)},"pages":[`;
  let separator = '';
  let isStarted = false;
  for await (const { page, text, isLast } of readParts()) {
    if (!isStarted) piece += `${separator}{"page":${page},"text":"`;
    piece += JSON.stringify(text).slice(1, -1);
    isStarted = !isLast;
    if (isLast) {
      const codes = warnings.filter(({ pages }) => pages.includes(page)).map(({ code }) => code);
      piece += `","warnings":${JSON.stringify(codes)}}`;
      separator = ',';
    }
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}]}`;
}
