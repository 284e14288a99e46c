import { HeadingPath } from './heading-path.js';
import { findCut, splitByTokens } from './split-text.js';
import { BOUNDARY, type BoundaryStrength, type TextUnit, type UnitReader } from './text-unit.js';

/** Maximum length of a line that is read as a whole, in UTF-16 units. */
const MAX_LINE_UNITS = 32_768;

/** Maximum white space within a chunk, in UTF-16 units. */
const MAX_GAP_UNITS = 128;

/** White space that is about one token more, in UTF-16 units. */
const UNITS_PER_GAP_TOKEN = 16;

/** Maximum length of the header of a table before a chunk, in UTF-16 units. */
const MAX_HEADER_UNITS = 400;

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });

const SENTENCE_END = /[.!?…:;。！？：；។။]["'”’»）)\]」』*_]*$/u;
const LIST_ITEM = /^(?:[-*+•–]|\(?(?:\d{1,3}|[A-Za-z])[.)])\s/u;
const TABLE_ROW = /^\||\S \| \S|\|$/;
const CODE_FENCE = /^(?:```|~~~)/;

/** Reads paragraphs, lists, tables and headings sentence by sentence. */
export class ProseReader implements UnitReader {
  private readonly headings = new HeadingPath();
  private buffer = '';
  /** Position of the buffer in the page. */
  private offset = 0;
  /** White space since the last unit. */
  private gap = '';
  private isGapLong = false;
  private blankLines = 1;
  private endsSentence = true;
  private isContinued = false;
  private isCode = false;
  /** Prefix of a chunk that begins with the present line. */
  private context = '';
  /** First row of the present table. */
  private tableHeader: string | undefined;

  /**
   * @param maxUnitTokens tokens of the longest unit
   * @param hasHeadings true if lines that begin with `#` are headings
   */
  constructor(
    private readonly maxUnitTokens: number,
    private readonly hasHeadings: boolean,
  ) {}

  *readUnits(part: string, isLast: boolean): Generator<TextUnit> {
    this.buffer += part;
    let start = 0;
    while (start < this.buffer.length) {
      const lineEnd = this.buffer.indexOf('\n', start);
      const end = lineEnd < 0 ? this.buffer.length : lineEnd + 1;
      if (end - start > MAX_LINE_UNITS) {
        const cut = start + findCut(this.buffer.slice(start, start + MAX_LINE_UNITS * 2), MAX_LINE_UNITS);
        yield* this.readLine(this.buffer.slice(start, cut), start, false);
        start = cut;
        continue;
      }
      if (lineEnd < 0 && !isLast) break;
      yield* this.readLine(this.buffer.slice(start, end), start, true);
      start = end;
    }
    this.buffer = this.buffer.slice(start);
    this.offset += start;
  }

  /** Reads a line, or the next piece of a long one. */
  private *readLine(line: string, index: number, isComplete: boolean): Generator<TextUnit> {
    const text = line.trim();
    if (text === '') {
      this.addGap(line);
      if (isComplete && !this.isContinued) this.blankLines += 1;
      this.isContinued = !isComplete;
      return;
    }
    const lead = line.length - line.trimStart().length;
    this.addGap(line.slice(0, lead));
    const boundary = this.isContinued ? BOUNDARY.none : this.classifyLine(text);
    yield* this.readSentences(text, this.offset + index + lead, boundary);
    this.addGap(line.slice(lead + text.length));
    // The section of a heading begins after it, so that no chunk has it twice.
    if (boundary === BOUNDARY.heading) this.enterSection(text);
    this.blankLines = 0;
    this.endsSentence = SENTENCE_END.test(text.slice(-16));
    this.isContinued = !isComplete;
  }

  private *readSentences(text: string, start: number, boundary: BoundaryStrength): Generator<TextUnit> {
    let before = boundary;
    for (const { segment, index } of sentences.segment(text)) {
      let partStart = start + index;
      for (const part of splitByTokens(segment.trimEnd(), this.maxUnitTokens)) {
        yield* this.toUnit(part.text, part.tokens, partStart, before);
        partStart += part.text.length;
        before = BOUNDARY.none;
      }
      this.addGap(segment.slice(segment.trimEnd().length));
      before = BOUNDARY.sentence;
    }
  }

  private *toUnit(
    text: string,
    tokens: number,
    start: number,
    boundary: BoundaryStrength,
  ): Generator<TextUnit> {
    const trimmed = text.trim();
    if (trimmed === '') {
      this.addGap(text);
      return;
    }
    const lead = text.length - text.trimStart().length;
    this.addGap(text.slice(0, lead));
    const { gap, isGapLong } = this;
    this.gap = '';
    this.isGapLong = false;
    yield {
      text: trimmed,
      gap,
      start: start + lead,
      // A line break before it may be a token; a space is part of the next word.
      tokens:
        tokens + (gap.length > 1 || gap === '\n' ? 1 + Math.floor(gap.length / UNITS_PER_GAP_TOKEN) : 0),
      boundary,
      isDetached: isGapLong,
      context: this.context,
    };
    this.addGap(text.slice(lead + trimmed.length));
  }

  /** Returns the boundary before a line, and follows headings, tables and code. */
  private classifyLine(line: string): BoundaryStrength {
    const afterBlank = this.blankLines > 0;
    if (CODE_FENCE.test(line)) {
      this.isCode = !this.isCode;
      this.leaveTable();
      return this.isCode ? BOUNDARY.paragraph : BOUNDARY.line;
    }
    if (this.isCode) return afterBlank ? BOUNDARY.paragraph : BOUNDARY.line;
    const level = this.hasHeadings ? HeadingPath.levelOf(line) : undefined;
    if (level !== undefined) this.headings.leave(level);
    const isRow = level === undefined && TABLE_ROW.test(line);
    const isNextRow = isRow && this.tableHeader !== undefined && !afterBlank;
    this.context = contextOf(this.headings.text, isNextRow ? this.tableHeader : undefined);
    if (!isNextRow) this.tableHeader = isRow ? line.slice(0, MAX_HEADER_UNITS) : undefined;
    if (level !== undefined) return BOUNDARY.heading;
    if (afterBlank) return BOUNDARY.paragraph;
    if (this.endsSentence || isRow || LIST_ITEM.test(line)) return BOUNDARY.line;
    return BOUNDARY.wrap;
  }

  private enterSection(heading: string): void {
    this.headings.enter(heading);
    this.leaveTable();
  }

  private leaveTable(): void {
    this.tableHeader = undefined;
    this.context = contextOf(this.headings.text, undefined);
  }

  private addGap(space: string): void {
    this.gap += space;
    if (this.gap.length <= MAX_GAP_UNITS) return;
    this.gap = '';
    this.isGapLong = true;
  }
}

/** Returns the prefix of a chunk that begins within a section and a table. */
function contextOf(headings: string, tableHeader: string | undefined): string {
  return [headings, tableHeader ?? ''].map((line) => (line === '' ? '' : `${line}\n`)).join('');
}
