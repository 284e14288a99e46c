const NAMES = 'think|thinking|thought|thoughts|reasoning';

/** The tags that models and their templates put around reasoning: DeepSeek, Qwen, Gemma, Magistral and others. */
const OPENING = `<(?:${NAMES})(?:\\s[^<>]*)?>|\\[think\\]`;
const CLOSING = `</(?:${NAMES})\\s*>|\\[/think\\]`;

/** Code in Markdown: a fenced block that is closed, or a span on one line. A tag in it is what the text is about. */
const CODE = '^(?<fence>```|~~~)[^]*?^\\k<fence>|(?<!`)(?<ticks>`+)(?!`)[^`\\n]+\\k<ticks>(?!`)';

/**
 * Removes reasoning from what a model wrote:
 * - what stands between the tags, to the first closing one, whatever stands in between;
 * - what stands before a closing tag without an opening one, which the templates of some models swallow;
 * - what stands after an opening tag that never closes, because the answer was cut off, if the tag begins a line.
 *
 * Tags in code stay, unless the code itself is part of reasoning: an answer may be about them. A single pass, so that its
 * time grows with the length of the text whatever the model wrote.
 */
export function withoutReasoning(text: string): string {
  // They remember where they are, so they belong to one call.
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

/** Whether only blanks stand between a place and the beginning of its line, or the reasoning before it. */
function beginsLine(text: string, from: number, place: number): boolean {
  let before = place - 1;
  while (before >= from && (text[before] === ' ' || text[before] === '\t')) before -= 1;
  return before < from || text[before] === '\n';
}
