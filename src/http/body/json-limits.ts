import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, InvalidRequestError } from '../../common/errors.js';
import { NOT_JSON } from '../guards/content-type.guard.js';

/** Maximum nesting depth of a body. The code that processes it later is recursive. */
const MAX_DEPTH = 128;

/**
 * Maximum number of values in one body, counting values nested in lists and objects. A parsed value takes many times
 * the memory of its text.
 */
const MAX_VALUES = 400_000;

/**
 * Maximum number of fields of one object. Code that compares each field with all others would take minutes for a
 * million of them.
 */
export const MAX_FIELDS = 1000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** A field name that accesses the prototype of an object instead of a field. */
const PROTOTYPE = '__proto__';

/** Length of its longest spelling, with every character written as an escape. */
const LONGEST_PROTOTYPE = PROTOTYPE.length * '\\u005f'.length;

/**
 * Checks the bytes of a body before they are decoded, because decoding would replace each invalid byte. A body parser
 * calls it with the decompressed bytes and the encoding that it will decode them with.
 *
 * @throws AppError, InvalidRequestError if they are not UTF-8, the only encoding of JSON (RFC 8259, section 8.1)
 */
export function assertUtf8(
  _request: IncomingMessage,
  _response: ServerResponse,
  text: Buffer,
  encoding: string,
): void {
  if (encoding !== 'utf-8') throw new AppError('unsupported_media_type', NOT_JSON);
  if (!isUtf8(text))
    throw new InvalidRequestError('The request body is not valid UTF-8. Send JSON encoded as UTF-8.');
}

/** Checks the bytes of a body, as a body parser calls it. */
type BodyCheck = (request: IncomingMessage, response: ServerResponse, text: Buffer, encoding: string) => void;

/**
 * Returns a check of the text of a JSON body before it is parsed, for routes whose unknown fields pass through.
 * @param alternative sentence that says what to do instead of sending too many values
 */
export function jsonTextCheck(alternative: string): BodyCheck {
  return (request, response, text, encoding) => {
    assertUtf8(request, response, text, encoding);
    assertLimits(text, alternative);
  };
}

/**
 * Checks the text of a JSON body before it is parsed, for routes whose unknown fields pass through.
 *
 * @throws AppError, InvalidRequestError for text that is not UTF-8, is nested deeper than 128 levels, or contains
 *   more than 400,000 values, an object of more than 1,000 fields, NUL characters, lone surrogates or a field named
 *   `__proto__`
 */
export const assertJsonText = jsonTextCheck('');

/**
 * Parses JSON that is no body but a request of its own, such as a line of a file, under the limits of bodies.
 *
 * @throws InvalidRequestError as for the same text in a body
 */
export function parseJsonText(text: Buffer): unknown {
  if (!isUtf8(text))
    throw new InvalidRequestError('The request is not valid UTF-8. Send JSON encoded as UTF-8.');
  assertLimits(text, '');
  try {
    return JSON.parse(text.toString());
  } catch {
    // The message of the parser quotes the text.
    throw new InvalidRequestError('The request is not valid JSON.');
  }
}

function assertLimits(text: Buffer, alternative: string): void {
  assertShape(text, alternative);
  if (text.includes('\\u')) assertEscapes(text);
}

/** Checks the structure in one pass over the bytes. Invalid JSON is left to the parser. */
function assertShape(text: Buffer, alternative: string): void {
  const fields = new Uint32Array(MAX_DEPTH + 1);
  let depth = 0;
  let values = 0;
  let nameStart = 0;
  let nameEnd = 0;
  for (let index = 0; index < text.length; index += 1) {
    switch (text[index]) {
      case QUOTE:
        nameStart = index + 1;
        index = endOfString(text, nameStart);
        nameEnd = index;
        break;
      case COLON: {
        const count = (fields[depth] ?? 0) + 1;
        if (count > MAX_FIELDS) throw tooManyFieldsError();
        fields[depth] = count;
        assertHarmlessName(text, nameStart, nameEnd);
        break;
      }
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
        fields[depth] = 0;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        if (depth > 0) depth -= 1;
        break;
      default:
    }
  }
  if (values > MAX_VALUES) {
    const message = `The request has more than ${MAX_VALUES.toLocaleString('en')} values.`;
    throw new InvalidRequestError(`${message} ${alternative}`.trimEnd());
  }
}

/** Returns the error for an object with too many fields. */
export function tooManyFieldsError(): InvalidRequestError {
  return new InvalidRequestError(`An object in the request has more than ${MAX_FIELDS} fields.`);
}

/** Rejects the name `__proto__` for a field. It may occur in a string, where it is harmless. */
function assertHarmlessName(text: Buffer, from: number, to: number): void {
  const length = to - from;
  if (length < PROTOTYPE.length || length > LONGEST_PROTOTYPE) return;
  const written = text.toString('latin1', from, to);
  if (written !== PROTOTYPE && !(written.includes('\\u') && isPrototype(written))) return;
  throw new InvalidRequestError(`The request has a field named ${PROTOTYPE}, which is not allowed.`);
}

function isPrototype(written: string): boolean {
  const plain = written.replace(/\\u([0-9a-fA-F]{4})/g, (_, code: string) =>
    String.fromCharCode(parseInt(code, 16)),
  );
  return plain === PROTOTYPE;
}

/**
 * Returns the index of a string's closing quote. Goes byte by byte: searching for the next quote is faster in prose,
 * but twenty times slower in text with escaped quotes.
 */
function endOfString(text: Buffer, from: number): number {
  for (let index = from; index < text.length; index += 1) {
    if (text[index] === QUOTE) return index;
    if (text[index] === BACKSLASH) index += 1;
  }
  return text.length;
}

/**
 * An escape, or two of them that form one surrogate pair. Captures the code of any other `\u` escape, of which only
 * surrogates and NUL matter.
 */
const ESCAPE = /\\(?:u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|([0-9a-fA-F]{4}))|[^])/g;

/** Detects suspicious escapes without parsing each one: clients that write ASCII escape every non-ASCII letter. */
const SUSPECT = /\\u(?:0000|[dD][89a-fA-F])/;

/** Valid UTF-8 contains no lone surrogates, and valid JSON no raw NUL: both can only occur as escapes. */
function assertEscapes(text: Buffer): void {
  const ascii = text.toString('latin1');
  if (!SUSPECT.test(ascii)) return;
  for (const [, code] of ascii.matchAll(ESCAPE)) {
    if (code === undefined) continue;
    if (code === '0000') throw new InvalidRequestError('The request contains a NUL character (\\u0000).');
    if (/^d[89a-f]/i.test(code)) {
      throw new InvalidRequestError(`The request contains a lone surrogate (\\u${code}).`);
    }
  }
}
