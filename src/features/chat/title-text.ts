/** Most characters of a title, in code points. */
const TITLE_LENGTH = 80;

/** What local models put before their answer when they think aloud. */
const THOUGHTS = /<think>[^]*?<\/think>/g;

/** Marks that a title is wrapped in: quotation marks of many languages, and those of Markdown. */
const WRAPPING = '"\'`*_~#“”„‟‘’‚‛«»‹›「」『』';
const LEADING = new RegExp(`^[\\s${WRAPPING}]+`, 'u');
const TRAILING = new RegExp(`[\\s${WRAPPING}]+$`, 'u');

/** Controls, and what turns the direction of the text around it. Joiners stay: emoji and some scripts need them. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/** A title as a list can show it: the first line of an answer, without what models wrap one in. Empty where nothing is left. */
export function toTitle(answer: string): string {
  const lines = writtenByModel(answer).split(/[\r\n\u2028\u2029]/);
  const [title = ''] = lines.map(cleaned).filter((line) => line !== '');
  return shortTitle(title);
}

/** What a model has written, without the thoughts that some put before it. */
export function writtenByModel(answer: string): string {
  return answer.toWellFormed().replace(THOUGHTS, '').trim();
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
