import { Parser } from 'htmlparser2';
import { ExtractionError } from './extraction-error.js';

/** Maximum depth of the elements of a document. The time of the parsers grows with depth times elements. */
const MAX_DEPTH = 2000;

/**
 * Refuses HTML that is nested deeper than any document for people, before a tree is made of it. The parser is the one
 * that makes the tree: another reading of scripts, comments and end tags would refuse ordinary pages, or miss depth.
 * @throws ExtractionError with `too_large`
 */
export function checkHtmlDepth(html: string): void {
  makeDepthParser({ xmlMode: false }).end(html);
}

/** Refuses XML that is nested too deep while its pieces arrive. */
export class XmlDepthCheck {
  private readonly parser = makeDepthParser({ xmlMode: true });
  private readonly decoder = new TextDecoder();

  /** @throws ExtractionError with `too_large` */
  add(piece: Uint8Array): void {
    this.parser.write(this.decoder.decode(piece, { stream: true }));
  }
}

function makeDepthParser({ xmlMode }: { readonly xmlMode: boolean }): Parser {
  let depth = 0;
  return new Parser(
    {
      onopentagname: () => {
        depth += 1;
        if (depth > MAX_DEPTH) throw new ExtractionError('too_large');
      },
      onclosetag: () => {
        depth -= 1;
      },
    },
    { xmlMode },
  );
}
