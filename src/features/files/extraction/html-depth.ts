import { ExtractionError } from './extraction-error.js';

/** Maximum depth of the elements of an HTML document. The time of the parser grows with depth times elements. */
const MAX_DEPTH = 2000;

/** Elements without an end. */
const VOID = new Set('area base br col embed hr img input link meta param source track wbr'.split(' '));

/** Elements before which a paragraph ends by itself. */
const BLOCKS =
  'address article aside blockquote div dl fieldset footer form h1 h2 h3 h4 h5 h6 header hr main nav ol p pre section table ul';

const PARAGRAPH = new Set(['p']);
const CELL = new Set(['td', 'th']);
const TERM = new Set(['dt', 'dd']);

/** Elements that an element ends when it directly follows their content. */
const ENDED_BY: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ...BLOCKS.split(' ').map((name) => [name, PARAGRAPH] as const),
  ['li', new Set(['li'])],
  ['option', new Set(['option'])],
  ['td', CELL],
  ['th', CELL],
  ['tr', new Set(['td', 'th', 'tr'])],
  ['dt', TERM],
  ['dd', TERM],
]);

/**
 * Refuses HTML that is nested deeper than any document for people; counted before it is parsed.
 * @throws ExtractionError with `too_large`
 */
export function checkHtmlDepth(html: string): void {
  const open: string[] = [];
  for (const [, slash, rawName = ''] of html.matchAll(/<(\/?)([a-z][a-z0-9]{0,30})/gi)) {
    const name = rawName.toLowerCase();
    if (slash === '/') {
      const index = open.lastIndexOf(name);
      if (index >= 0) open.length = index;
      continue;
    }
    const ended = ENDED_BY.get(name);
    while (ended?.has(open.at(-1) ?? '') === true) open.pop();
    if (VOID.has(name)) continue;
    open.push(name);
    if (open.length > MAX_DEPTH) throw new ExtractionError('too_large');
  }
}
