import { type CountedText, fitTokens, splitByTokens } from './split-text.js';
import { BOUNDARY, type TextUnit, type UnitReader } from './text-unit.js';
import { countUnitTokens } from './unit-tokens.js';

/** Maximum length of a row, in UTF-16 units. A quoted field that is longer is one that is never closed. */
const MAX_ROW_UNITS = 2 ** 20;

/** Length from which a row is not counted as a whole, in UTF-16 units per token that it may have. */
const MAX_UNITS_PER_TOKEN = 16;

/** Maximum white space between two rows of a chunk, in UTF-16 units. */
const MAX_GAP_UNITS = 128;

const DELIMITERS = [',', ';', '\t', '|'];
const QUOTE = '"'.charCodeAt(0);
const LINE_FEED = '\n'.charCodeAt(0);

/** Reads the rows of a CSV file. Its first row is the header: the prefix of each chunk that begins with another row. */
export class CsvReader implements UnitReader {
  private buffer = '';
  /** Position of the buffer in the page. */
  private offset = 0;
  /** Position in the buffer up to which the end of the present row was searched. */
  private searched = 0;
  private inQuotes = false;
  /** Position in the buffer of the last quote that closed a field. */
  private closingQuote = -1;
  private delimiter: number | undefined;
  private gap = '';
  /** True if the next row begins a chunk. */
  private isDetached = false;
  private context = '';
  private maxRowTokens: number;
  /** Number of the last row; the header is row 0. */
  private row = -1;

  /** @param maxTokens tokens of a chunk */
  constructor(private readonly maxTokens: number) {
    this.maxRowTokens = maxTokens;
  }

  *readUnits(part: string, isLast: boolean): Generator<TextUnit> {
    this.buffer += part;
    this.delimiter ??= findDelimiter(this.buffer, isLast || this.buffer.length > MAX_ROW_UNITS);
    if (this.delimiter === undefined) return;
    let start = 0;
    while (start < this.buffer.length) {
      const end = this.findRowEnd(start, isLast);
      if (end === undefined) break;
      yield* this.readRow(this.buffer.slice(start, end), this.offset + start);
      start = end;
      this.searched = end;
    }
    this.buffer = this.buffer.slice(start);
    this.offset += start;
    this.searched -= start;
    this.closingQuote -= start;
  }

  /** Returns the end of a row, after its line break; undefined if it is in the next part. */
  private findRowEnd(start: number, isLast: boolean): number | undefined {
    const { buffer } = this;
    for (let index = this.searched; index < buffer.length; index += 1) {
      const unit = buffer.charCodeAt(index);
      if (unit === QUOTE) this.readQuote(start, index);
      else if (unit === LINE_FEED && !this.inQuotes) return index + 1;
      if (index - start < MAX_ROW_UNITS || isTrailSurrogate(unit)) continue;
      return this.inQuotes ? this.endWithoutQuotes(start) : index;
    }
    if (isLast) return this.inQuotes ? this.endWithoutQuotes(start) : buffer.length;
    this.searched = buffer.length;
    return undefined;
  }

  private readQuote(rowStart: number, index: number): void {
    if (this.inQuotes) {
      this.inQuotes = false;
      this.closingQuote = index;
      return;
    }
    const isFieldStart = index === rowStart || this.buffer.charCodeAt(index - 1) === this.delimiter;
    // Two quotes are one within a field.
    this.inQuotes = isFieldStart || this.closingQuote === index - 1;
  }

  /** Ends a row, of which a quoted field is never closed, at its first line break. */
  private endWithoutQuotes(start: number): number {
    this.inQuotes = false;
    const lineEnd = this.buffer.indexOf('\n', start);
    return lineEnd < 0 ? this.buffer.length : lineEnd + 1;
  }

  private *readRow(line: string, start: number): Generator<TextUnit> {
    const text = line.endsWith('\n') ? line.slice(0, -1) : line;
    if (text.trim() === '') {
      this.gap += line;
      return;
    }
    this.row += 1;
    let partStart = start;
    for (const part of this.splitRow(text)) {
      if (part.text.trim() === '') this.gap += part.text;
      else yield this.toUnit(part, partStart, partStart === start);
      partStart += part.text.length;
    }
    this.gap += line.slice(text.length);
    if (this.row === 0) this.useHeader(text);
  }

  private toUnit({ text, tokens }: CountedText, start: number, isFirst: boolean): TextUnit {
    const isDetached = this.isDetached || this.gap.length > MAX_GAP_UNITS;
    const gap = isDetached ? '' : this.gap;
    this.gap = '';
    this.isDetached = false;
    return {
      text,
      gap,
      start,
      tokens: tokens + (gap === '' ? 0 : 1),
      boundary: isFirst ? BOUNDARY.line : BOUNDARY.none,
      isDetached,
      context: this.context,
      row: this.row,
    };
  }

  /** Returns a row as a whole if a chunk has room for it. */
  private splitRow(text: string): Iterable<CountedText> {
    if (text.length <= this.maxRowTokens * MAX_UNITS_PER_TOKEN) {
      const tokens = countUnitTokens(text);
      if (tokens < this.maxRowTokens) return [{ text, tokens }];
    }
    return splitByTokens(text, this.maxRowTokens - 1);
  }

  private useHeader(header: string): void {
    const fitted = fitTokens(`${header}\n`, Math.floor(this.maxTokens / 2));
    this.context = fitted.text;
    this.maxRowTokens = this.maxTokens - fitted.tokens;
    // A chunk that begins within the header would have neither its beginning nor a prefix.
    this.isDetached = fitted.text.length < header.length;
  }
}

/** Returns the delimiter that the first line with text has most often; undefined until the line is complete. */
function findDelimiter(text: string, isComplete: boolean): number | undefined {
  const start = text.length - text.trimStart().length;
  const end = text.indexOf('\n', start);
  if (end < 0 && !isComplete) return undefined;
  const line = text.slice(start, end < 0 ? text.length : end);
  const count = (delimiter: string): number => line.split(delimiter).length;
  const [first = ','] = DELIMITERS.toSorted((one, other) => count(other) - count(one));
  return first.charCodeAt(0);
}

function isTrailSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
