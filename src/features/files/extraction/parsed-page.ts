import type { PageWarning } from './extracted-text.js';

/** A page as a parser yields it. */
export interface ParsedPage {
  /** Not normalized. */
  readonly text: string;
  readonly warning?: PageWarning;
}
