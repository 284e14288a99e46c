import { setImmediate as nextTick } from 'node:timers/promises';
import { countTokens } from '../../../llm/index.js';
import type { OpenedText } from '../../files/index.js';

/**
 * Length of the pieces in which a text is counted and cut, in UTF-16 units. Other work runs between two pieces, so
 * that a long document does not block the process.
 */
const PIECE_UNITS = 8_192;

/** Length of the smallest piece of a page that is cut, in UTF-16 units. */
const MIN_PIECE_UNITS = 128;

/** Tokens reserved for the sentence about pages that are left out. */
const NOTE_TOKENS = 40;

/**
 * Maximum length of a page that is read to fill one token, in UTF-16 units. A token has about four in English; the
 * rest is for white space.
 */
const MAX_UNITS_PER_TOKEN = 16;

/** Average bytes of UTF-8 per token, for the estimate of a document's tokens. */
const BYTES_PER_TOKEN = 4;

/** A document as text for a model. */
export interface DocumentText {
  readonly text: string;
  /** By our count. */
  readonly tokens: number;
  /** Pages that are missing in the text, or of which a part is missing. */
  readonly omittedPages: readonly number[];
}

/** The text of a document, to be read page by page. */
export type DocumentPages = Pick<OpenedText, 'pageCount' | 'readParts'>;

/**
 * Returns the longest text of a document that fits in a number of tokens: its pages in order, each after a marker
 * with its number. If not even the first page fits, the text has the beginning of that page. Reads no further than
 * that.
 */
export async function fitDocument(
  name: string,
  document: DocumentPages,
  maxTokens: number,
): Promise<DocumentText> {
  const { pageCount } = document;
  const fitted = new FittedText(`File: ${name}\n\n`, maxTokens - NOTE_TOKENS);
  let sent = 0;
  for await (const { page, text } of wholePages(document, maxTokens * MAX_UNITS_PER_TOKEN)) {
    const marked = `${pageCount > 1 ? `[Page ${page}]\n` : ''}${text}\n\n`;
    if (!(await fitted.add(marked))) {
      if (sent === 0) await fitted.addBeginning(marked);
      break;
    }
    sent += 1;
  }
  const omittedPages = pageNumbers(sent + 1, pageCount);
  return { ...fitted.end(noteOn(omittedPages, pageCount)), omittedPages };
}

/** Returns the numbers of pages, both inclusive. */
export function pageNumbers(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

/** Estimates the tokens of a document from the size of its text, in bytes of UTF-8. */
export function estimateTextTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** Yields pages in one piece each. Of a page above the maximum length, only the beginning is read. */
async function* wholePages(
  { readParts }: DocumentPages,
  maxUnits: number,
): AsyncGenerator<{ readonly page: number; readonly text: string }> {
  let text = '';
  for await (const part of readParts()) {
    text += part.text;
    const { page, isLast } = part;
    if (!isLast && text.length <= maxUnits) continue;
    yield { page, text };
    if (!isLast) return;
    text = '';
  }
}

/** A text that grows up to a number of tokens. */
class FittedText {
  private tokens: number;

  constructor(
    private text: string,
    private readonly maxTokens: number,
  ) {
    this.tokens = countTokens(text);
  }

  /** Adds a text if all of it fits. */
  async add(text: string): Promise<boolean> {
    const tokens = await this.countUpTo(text, this.maxTokens - this.tokens);
    if (this.tokens + tokens > this.maxTokens) return false;
    this.text += text;
    this.tokens += tokens;
    return true;
  }

  /** Adds as much of a text as fits, to within `MIN_PIECE_UNITS`. */
  async addBeginning(text: string): Promise<void> {
    let start = 0;
    let units = PIECE_UNITS;
    while (start < text.length && units >= MIN_PIECE_UNITS) {
      const end = endOfPiece(text, start, units);
      if (await this.add(text.slice(start, end))) start = end;
      else units /= 2;
    }
  }

  end(note: string): { readonly text: string; readonly tokens: number } {
    return { text: this.text + note, tokens: this.tokens + countTokens(note) };
  }

  /** Counts the tokens of a text, or stops once they exceed a limit. */
  private async countUpTo(text: string, limit: number): Promise<number> {
    let tokens = 0;
    for (const piece of piecesOf(text)) {
      tokens += countTokens(piece);
      if (tokens > limit) break;
      await nextTick();
    }
    return tokens;
  }
}

/** Splits a text between characters. */
function* piecesOf(text: string): Generator<string> {
  let start = 0;
  while (start < text.length) {
    const end = endOfPiece(text, start, PIECE_UNITS);
    yield text.slice(start, end);
    start = end;
  }
}

/** Returns the end of a piece of a well-formed text: not within a character. */
function endOfPiece(text: string, start: number, units: number): number {
  const end = Math.min(text.length, start + units);
  return text.slice(start, end).isWellFormed() ? end : end - 1;
}

function noteOn([first]: readonly number[], pageCount: number): string {
  if (first === undefined) return '';
  if (pageCount === 1) return '[The rest of this file is left out because it is too long.]\n\n';
  return `[Of ${pageCount} pages, those from page ${first} on are left out because they are too long.]\n\n`;
}
