import { Parser } from 'htmlparser2';
import { ExtractionError } from './extraction-error.js';

/** Maximum depth of the elements of an HTML document. The time of the parser grows with depth times elements. */
const MAX_DEPTH = 2000;

/**
 * Refuses HTML that is nested deeper than any document for people, before a tree is made of it. The parser is the one
 * that makes the tree: another reading of scripts, comments and end tags would refuse ordinary pages, or miss depth.
 * @throws ExtractionError with `too_large`
 */
export function checkHtmlDepth(html: string): void {
  let depth = 0;
  const parser = new Parser({
    onopentagname: () => {
      depth += 1;
      if (depth > MAX_DEPTH) throw new ExtractionError('too_large');
    },
    onclosetag: () => {
      depth -= 1;
    },
  });
  parser.end(html);
}
