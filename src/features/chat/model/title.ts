import { stripReasoning } from './reasoning-text.js';

/** Maximum length of a title, in code points. */
const TITLE_LENGTH = 80;

/** Characters that models wrap a title in: quotation marks of many languages, and Markdown. */
const WRAPPING = '"\'`*_~#“”„‟‘’‚‛«»‹›「」『』';
const LEADING = new RegExp(`^[\\s${WRAPPING}]+`, 'u');
const TRAILING = new RegExp(`[\\s${WRAPPING}]+$`, 'u');

/** Control characters and bidirectional controls. Joiners stay, because emoji and some scripts need them. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/**
 * Extracts a title to show in lists: the first line of an answer, without the characters that models wrap it in.
 * Empty if nothing is left.
 */
export function extractTitle(answer: string): string {
  const lines = stripReasoning(answer.toWellFormed()).split(/[\r\n\u2028\u2029]/);
  const [title = ''] = lines.map(cleaned).filter((line) => line !== '');
  return truncateTitle(title);
}

/** Puts a text on one line and truncates it between code points to the maximum length of a title. */
export function truncateTitle(text: string): string {
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
