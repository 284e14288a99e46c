/*
 * Markers in answers that name the sources of a sentence: `[1]`, `[1, 2]`, `[1][3]`, `[1-3]`.
 */

/** A marker, with the space before it. */
const MARKER = /^ ?\[([\d\s,;–-]{1,120})\]/;
/** The beginning of what may become a marker. */
const PARTIAL_MARKER = /^ ?\[[\d\s,;–-]{0,120}$/;
const NUMBERS = /^\s*\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\s*$/;
const RANGE = /(\d+)\s*[–-]\s*(\d+)/g;

/** Possible beginning of a marker or of code. A space at the end may belong to a marker. */
const NEXT = /`| ?\[| $/;
const TICKS = /^`+/;

/** Backticks of a fence of code, and the number up to which they are held back until the next piece. */
const FENCE_TICKS = 3;
const MAX_HELD_TICKS = 16;

/**
 * Passes an answer through, piece by piece, and removes what looks like a citation of a source that does not exist. It
 * holds back some characters at most, until it is clear whether they are a marker.
 *
 * Markers are numbers up to 999 in square brackets, also lists and ranges; numbers without a source are removed from
 * them, and a marker without any other number is removed with the space before it. Unchanged stay all other brackets
 * (`[a]`, `[x]`, `[2024]`), the text of links (`[1](https://…)`), an index 0 after a name (`list[0]`), and code between
 * backticks.
 */
export class CitationFilter {
  private pending = '';
  /** True if the text since the last line break is blank. */
  private isLineBlank = true;
  /** Last character that was passed on. */
  private last = '';
  /** Number of backticks that end the present code. */
  private code: { readonly ticks: number; readonly isFence: boolean } | undefined;
  private readonly found = new Set<number>();

  /** @param sourceCount number of sources; they are numbered from 1 */
  constructor(private readonly sourceCount: number) {}

  /** Sources that the answer has cited so far, each once, in the order of their first citation. */
  get cited(): readonly number[] {
    return Array.from(this.found);
  }

  /** Adds a piece of the answer; returns the text that can be passed on. */
  push(piece: string): string {
    this.pending += piece;
    return this.passOn(false);
  }

  /** Ends the answer; returns the rest of the text. */
  end(): string {
    return this.passOn(true);
  }

  private passOn(isEnd: boolean): string {
    let output = '';
    while (this.pending !== '') {
      const text = this.code === undefined ? this.passProse(isEnd) : this.passCode(this.code, isEnd);
      if (text === undefined) break;
      output += text;
      this.follow(text);
    }
    return output;
  }

  /** Returns the next text outside of code; undefined if the next piece decides about it. */
  private passProse(isEnd: boolean): string | undefined {
    const next = this.pending.search(NEXT);
    if (next !== 0) return this.take(next < 0 ? this.pending.length : next);
    const [ticks] = TICKS.exec(this.pending) ?? [];
    if (ticks !== undefined) return this.beginCode(ticks.length, isEnd);
    const [marker, inner] = MARKER.exec(this.pending) ?? [];
    const isIncomplete = this.pending === ' ' || marker === this.pending || PARTIAL_MARKER.test(this.pending);
    if (isIncomplete && !isEnd) return undefined;
    if (marker === undefined || inner === undefined) return this.take(this.pending.startsWith(' ') ? 2 : 1);
    this.take(marker.length);
    return this.isMarker(marker, inner) ? this.checkMarker(marker, inner) : marker;
  }

  private beginCode(ticks: number, isEnd: boolean): string | undefined {
    if (ticks === this.pending.length && ticks < MAX_HELD_TICKS && !isEnd) return undefined;
    this.code = { ticks, isFence: ticks >= FENCE_TICKS && this.isLineBlank };
    return this.take(ticks);
  }

  /** Returns the next text of code. A line end ends code within a line: a backtick may stand alone. */
  private passCode(
    { ticks, isFence }: { readonly ticks: number; readonly isFence: boolean },
    isEnd: boolean,
  ): string | undefined {
    const next = this.pending.search(isFence ? /`/ : /[`\n]/);
    if (next !== 0) return this.take(next < 0 ? this.pending.length : next);
    const run = TICKS.exec(this.pending)?.[0].length ?? 0;
    if (run === this.pending.length && run < MAX_HELD_TICKS && !isEnd) return undefined;
    const isClosed = isFence ? run >= ticks && this.isLineBlank : run === ticks || run === 0;
    if (isClosed) this.code = undefined;
    return this.take(Math.max(run, 1));
  }

  private isMarker(marker: string, inner: string): boolean {
    const isLinkText = this.pending.startsWith('(');
    const isIndex = inner === '0' && !marker.startsWith(' ') && /[\w)\]]/.test(this.last);
    return NUMBERS.test(inner) && !isLinkText && !isIndex;
  }

  private checkMarker(marker: string, inner: string): string {
    const numbers = expandNumbers(inner);
    const existing = numbers.filter((number) => number >= 1 && number <= this.sourceCount);
    for (const number of existing) this.found.add(number);
    if (existing.length === numbers.length) return marker;
    if (existing.length === 0) return '';
    const space = marker.startsWith(' ') ? ' ' : '';
    return `${space}[${existing.join(', ')}]`;
  }

  private follow(text: string): void {
    this.last = text.at(-1) ?? this.last;
    const lineStart = text.lastIndexOf('\n') + 1;
    this.isLineBlank = (this.isLineBlank || lineStart > 0) && text.slice(lineStart).trim() === '';
  }

  private take(length: number): string {
    const text = this.pending.slice(0, length);
    this.pending = this.pending.slice(length);
    return text;
  }
}

/** Returns the numbers of a marker; those of a range each. */
function expandNumbers(inner: string): number[] {
  const expanded = inner.replace(RANGE, (_range, first: string, last: string) => {
    const [from, to] = [Number(first), Number(last)];
    if (from > to) return `${from},${to}`;
    return Array.from({ length: to - from + 1 }, (_, index) => from + index).join(',');
  });
  return Array.from(expanded.matchAll(/\d+/g), ([digits]) => Number(digits));
}
