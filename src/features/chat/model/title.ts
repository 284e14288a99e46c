import { withoutReasoning } from './reasoning-text.js';

/** Most characters of a title, in code points. */
const TITLE_LENGTH = 80;

/** Marks that a title is wrapped in: quotation marks of many languages, and those of Markdown. */
const WRAPPING = '"\'`*_~#“”„‟‘’‚‛«»‹›「」『』';
const LEADING = new RegExp(`^[\\s${WRAPPING}]+`, 'u');
const TRAILING = new RegExp(`[\\s${WRAPPING}]+$`, 'u');

/** Controls, and what turns the direction of the text around it. Joiners stay: emoji and some scripts need them. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/** A title as a list can show it: the first line of an answer, without what models wrap one in. Empty where nothing is left. */
export function toTitle(answer: string): string {
  const lines = withoutReasoning(answer.toWellFormed()).split(/[\r\n\u2028\u2029]/);
  const [title = ''] = lines.map(cleaned).filter((line) => line !== '');
  return shortTitle(title);
}

/** A text on one line, cut between code points where it is longer than a title may be. */
export function shortTitle(text: string): string {
  const line = text.trim().replace(/\s+/gu, ' ');
  const points = Array.from(line);
  return points.length <= TITLE_LENGTH
    ? line
    : `${points
        .slice(0, TITLE_LENGTH - 1)
        .join('')
        .trimEnd()}…`;
}

function cleaned(line: string): string {
  return line
    .replace(CONTROLS, ' ')
    .replace(/<[^<>]*>/g, '')
    .replace(LEADING, '')
    .replace(TRAILING, '');
}
