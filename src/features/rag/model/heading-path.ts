/** Separates the headings of a path. */
const SEPARATOR = ' > ';

/** Maximum length of the headings before a chunk, in UTF-16 units. */
const MAX_PATH_UNITS = 200;

const HEADING = /^(#{1,6})[ \t]+(\S.*)$/;

/** Follows the headings of a Markdown document. */
export class HeadingPath {
  private readonly headings: { readonly level: number; readonly title: string }[] = [];
  /** The headings that the text belongs to, each on its own if it is short; empty at the beginning. */
  text = '';

  /** Returns the level of a heading, 1 to 6; undefined if a line is none. */
  static levelOf(line: string): number | undefined {
    return HEADING.exec(line)?.[1]?.length;
  }

  /** Leaves the sections that a heading of this level ends. */
  leave(level: number): void {
    while ((this.headings.at(-1)?.level ?? 0) >= level) this.headings.pop();
    this.update();
  }

  /** Enters the section of a heading. */
  enter(line: string): void {
    const [, marks = '', title = ''] = HEADING.exec(line) ?? [];
    this.headings.push({ level: marks.length, title: title.replace(/[ \t]+#+$/, '') });
    this.update();
  }

  private update(): void {
    let path = '';
    // The deepest headings say most about the text.
    for (const { title } of this.headings.toReversed()) {
      const longer = path === '' ? title : title + SEPARATOR + path;
      if (longer.length > MAX_PATH_UNITS) break;
      path = longer;
    }
    this.text = path;
  }
}
