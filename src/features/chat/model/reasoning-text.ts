const NAMES = 'think|thinking|thought|thoughts|reasoning';

/** Tags that models and their chat templates put around reasoning: DeepSeek, Qwen, Gemma, Magistral and others. */
const OPENING = `<(?:${NAMES})(?:\\s[^<>]*)?>|\\[think\\]`;
const CLOSING = `</(?:${NAMES})\\s*>|\\[/think\\]`;

/** Markdown code: a closed fenced block, or a code span on one line. A tag inside is part of the content. */
const CODE = '^(?<fence>```|~~~)[^]*?^\\k<fence>|(?<!`)(?<ticks>`+)(?!`)[^`\\n]+\\k<ticks>(?!`)';

/**
 * Removes reasoning from a model's text:
 * - everything between the tags, up to the first closing one;
 * - everything before a closing tag without an opening one, which the chat templates of some models swallow;
 * - everything after an opening tag that is never closed because the answer was cut off, if the tag begins a line.
 * Tags in code stay, unless the code itself is part of reasoning: they may be the subject of the answer. A single
 * pass, so that it takes linear time for any text.
 */
export function stripReasoning(text: string): string {
  // Stateful because of the `g` flag, so they belong to one call.
  const next = new RegExp(`(?:${CODE})|(?<opening>${OPENING})|(?<closing>${CLOSING})`, 'gimu');
  const closing = new RegExp(CLOSING, 'giu');
  const lastClosing = Array.from(text.matchAll(closing)).at(-1)?.index ?? -1;
  const kept: string[] = [];
  let from = 0;
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    const { opening, closing: stray } = found.groups ?? {};
    if (stray !== undefined) {
      kept.length = 0;
      from = next.lastIndex;
    } else if (opening !== undefined) {
      const isClosed = lastClosing >= next.lastIndex;
      if (!isClosed && !beginsLine(text, from, found.index)) continue;
      kept.push(text.slice(from, found.index));
      closing.lastIndex = next.lastIndex;
      closing.test(text);
      from = isClosed ? closing.lastIndex : text.length;
      next.lastIndex = from;
    }
  }
  return [...kept, text.slice(from)].join('').trim();
}

/**
 * Returns true if there is only whitespace between a position and the start of its line, or the reasoning before it.
 */
function beginsLine(text: string, from: number, place: number): boolean {
  let before = place - 1;
  while (before >= from && (text[before] === ' ' || text[before] === '\t')) before -= 1;
  return before < from || text[before] === '\n';
}
