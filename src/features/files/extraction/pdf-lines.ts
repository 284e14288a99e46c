/** A piece of text and its place on a page, in points from the lower left corner. */
export interface PositionedText {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** True if a line of the page ends after it. */
  readonly endsLine: boolean;
}

interface Line {
  text: string;
  left: number;
  right: number;
  y: number;
  height: number;
}

/** Share of the widest line of a column from which a line counts as full, so that its sentence may go on below. */
const FULL_LINE = 0.7;

/** Distance of the lines of a paragraph at most, in heights of their text. */
const LINE_DISTANCE = 1.9;

/** Difference of the heights of text at most within a paragraph, as a share. */
const HEIGHT_DIFFERENCE = 0.15;

/** Scripts that write no space between words, with their punctuation. */
const WITHOUT_SPACES =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u3000-\u303f\uff00-\uffef]/u;

/** End of a line inside a word, or after the hyphen of a compound, which look the same. */
const HYPHENATED = /\p{L}[-\u2010]$/u;

/** Glyphs without a character, such as the parts of accented letters, with the space that the parser puts before them. */
// eslint-disable-next-line no-control-regex -- the parser returns them as control characters
const UNMAPPED = / ?[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Start of an item of a list. */
const LIST_ITEM = /^\s*(?:[•◦▪–—*-]|\(?\d{1,3}[.)]|[a-z][.)])\s/u;

/**
 * Returns the text of a page in the order of its items. Lines of a paragraph are joined with a space, in scripts
 * without spaces with nothing; a hyphen at the end of a line stays. Other lines stay lines, and a larger distance is an
 * empty line.
 */
export function joinTextItems(items: readonly PositionedText[]): string {
  const lines = toLines(items);
  let text = '';
  let previous: Line | undefined;
  for (const [index, line] of lines.entries()) {
    if (previous !== undefined) text += separator(previous, line, widestBeside(lines, previous, index - 1));
    text += line.text;
    previous = line;
  }
  return text;
}

function toLines(items: readonly PositionedText[]): Line[] {
  const lines: Line[] = [];
  let line: Line | undefined;
  for (const { text, x, y, width, height, endsLine } of items) {
    if (text.trim() !== '') {
      line ??= { text: '', left: x, right: x + width, y, height };
      line.left = Math.min(line.left, x);
      line.right = Math.max(line.right, x + width);
      line.height = Math.max(line.height, height);
    }
    if (line === undefined) continue;
    line.text += text;
    if (!endsLine) continue;
    lines.push(line);
    line = undefined;
  }
  if (line !== undefined) lines.push(line);
  return lines.map((each) => ({ ...each, text: each.text.replace(UNMAPPED, '').trim() }));
}

/** Number of lines before and after one that belong to its surroundings. */
const SURROUNDINGS = 12;

/** Returns the greatest width among the lines around one that overlap it horizontally. */
function widestBeside(lines: readonly Line[], line: Line, index: number): number {
  const around = lines.slice(Math.max(0, index - SURROUNDINGS), index + SURROUNDINGS + 1);
  return around
    .filter(({ left, right }) => left < line.right && right > line.left)
    .reduce((widest, { left, right }) => Math.max(widest, right - left), 0);
}

function separator(previous: Line, line: Line, widest: number): string {
  const height = Math.max(previous.height, line.height, 1);
  const sameSize = Math.abs(previous.height - line.height) <= height * HEIGHT_DIFFERENCE;
  const distance = previous.y - line.y;
  // A line above the previous one begins a new column.
  if (!sameSize || distance > height * LINE_DISTANCE) return '\n\n';
  const isFull = previous.right - previous.left >= widest * FULL_LINE;
  if (!isFull || LIST_ITEM.test(line.text)) return '\n';
  if (HYPHENATED.test(previous.text) && /^\p{L}/u.test(line.text)) return '';
  const needsNoSpace =
    WITHOUT_SPACES.test(previous.text.at(-1) ?? '') && WITHOUT_SPACES.test(line.text.at(0) ?? '');
  return needsNoSpace ? '' : ' ';
}
