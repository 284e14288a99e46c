/** Strength of the boundary before a unit: chunks end at the strongest one near their maximum size. */
export const BOUNDARY = {
  /** Within a sentence. */
  none: 0,
  /** The end of a line within a sentence. */
  wrap: 1,
  sentence: 2,
  /** A line that stands by itself: an item of a list, a row of a table. */
  line: 3,
  paragraph: 4,
  heading: 5,
} as const;

/** One of the strengths of a boundary. */
export type BoundaryStrength = (typeof BOUNDARY)[keyof typeof BOUNDARY];

/** A piece of a page that a chunk has as a whole: a sentence, a row of a table, or a part of a long one. */
export interface TextUnit {
  /** Without white space around it. */
  readonly text: string;
  /** White space between the unit before it and this one. */
  readonly gap: string;
  /** Position of the text in its page, in UTF-16 units. */
  readonly start: number;
  /** Of the text and the gap. */
  readonly tokens: number;
  /** Strength of the boundary before it. */
  readonly boundary: BoundaryStrength;
  /** True if no chunk may have this unit and the one before it, because much white space is between them. */
  readonly isDetached: boolean;
  /** Prefix of a chunk that begins with this unit: headings, header of a table. */
  readonly context: string;
  /** Number of the row that it belongs to, from 1; 0 for a header. Undefined outside of CSV. */
  readonly row?: number;
}

/** Reads the units of a page that comes in parts. */
export interface UnitReader {
  /**
   * Reads the next part of the page, and returns the units that are complete.
   * @param isLast true if no part follows
   */
  readUnits(part: string, isLast: boolean): Iterable<TextUnit>;
}
