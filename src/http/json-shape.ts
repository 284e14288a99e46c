import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvalidRequestError } from '../common/errors.js';

/** Deeper bodies are refused: what reads them later does so by recursion. */
const MAX_DEPTH = 128;

/** Most values of one body, those in lists and objects included: parsed, each of them is many times its own text. */
const MAX_VALUES = 1_000_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** A name that reads the prototype of an object instead of a field of it. */
const PROTOTYPE = '__proto__';

/**
 * Looks at the bytes of a body before they are decoded, which would put a replacement for each that is wrong.
 *
 * @throws InvalidRequestError where they are no UTF-8, the only encoding that JSON has (RFC 8259, section 8.1)
 */
export function assertUtf8(_request: IncomingMessage, _response: ServerResponse, text: Buffer): void {
  if (!isUtf8(text))
    throw new InvalidRequestError('The request body is not UTF-8. Send it as JSON in UTF-8.');
}

/**
 * Looks at the text of a JSON body before it is parsed, for routes whose unknown fields pass through. A body parser calls
 * it with the inflated bytes.
 *
 * @throws InvalidRequestError for text that is not UTF-8, is nested deeper than 128 levels, or holds more than 1,000,000 values, NUL characters, lone surrogates or a field named `__proto__`
 */
export function assertJsonText(_request: IncomingMessage, _response: ServerResponse, text: Buffer): void {
  assertUtf8(_request, _response, text);
  assertShape(text);
  if (text.includes('\\u')) assertEscapes(text);
  if (text.includes(PROTOTYPE) || text.includes('\\u005')) assertNoPrototype(text);
}

function assertShape(text: Buffer): void {
  let depth = 0;
  let values = 0;
  for (let index = 0; index < text.length; index += 1) {
    switch (text[index]) {
      case QUOTE:
        index = endOfString(text, index + 1);
        break;
      case COMMA:
        values += 1;
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        values += 1;
        depth += 1;
        if (depth > MAX_DEPTH) {
          throw new InvalidRequestError(`The request is nested deeper than ${MAX_DEPTH} levels.`);
        }
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth -= 1;
        break;
      default:
    }
  }
  if (values > MAX_VALUES) {
    throw new InvalidRequestError(`The request has more than ${MAX_VALUES.toLocaleString('en')} values.`);
  }
}

/** Where a string ends. Byte by byte: a search for the next quote is faster in prose, and twenty times slower in escaped quotes. */
function endOfString(text: Buffer, from: number): number {
  for (let index = from; index < text.length; index += 1) {
    if (text[index] === QUOTE) return index;
    if (text[index] === BACKSLASH) index += 1;
  }
  return text.length;
}

/** An escape, or a pair of them that is one character. What is no escape of a surrogate or of NUL is of no interest. */
const ESCAPE = /\\(?:u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|([0-9a-fA-F]{4}))|[^])/g;

/** What may be wrong, found without reading each escape: clients that write ASCII escape every letter beyond it. */
const SUSPECT = /\\u(?:0000|[dD][89a-fA-F])/;

/** UTF-8 itself has no lone surrogates, and JSON no bare NUL: both come as escapes alone. */
function assertEscapes(text: Buffer): void {
  const ascii = text.toString('latin1');
  if (!SUSPECT.test(ascii)) return;
  for (const [, code] of ascii.matchAll(ESCAPE)) {
    if (code === undefined) continue;
    if (code === '0000') throw new InvalidRequestError('The request holds a NUL character (\\u0000).');
    if (/^d[89a-f]/i.test(code)) {
      throw new InvalidRequestError(`The request holds half of a surrogate pair (\\u${code}).`);
    }
  }
}

/** The name may stand in a text as well, where it does no harm: only the parser can tell. */
function assertNoPrototype(text: Buffer): void {
  const names = new Set<string>();
  try {
    JSON.parse(text.toString(), (name, value: unknown) => {
      if (name === PROTOTYPE) names.add(name);
      return value;
    });
  } catch {
    // No JSON at all: the body parser finds that too, and says so.
  }
  if (names.size > 0)
    throw new InvalidRequestError(`A field of the request is named ${PROTOTYPE}; no field may be.`);
}
