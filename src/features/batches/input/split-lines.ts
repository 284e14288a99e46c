/** A line of a file, without its end. */
export type FileLine =
  | { readonly number: number; readonly bytes: Buffer }
  /** The line is longer than the limit. Its bytes were skipped. */
  | { readonly number: number; readonly bytes: undefined };

const LINE_FEED = 0x0a;
const RETURN = 0x0d;

/** UTF-8 byte order mark. */
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Splits a file into lines, which end with LF or CRLF, as bytes: so that invalid UTF-8 is a fault of its line only. Memory
 * is bounded by the longest line.
 * @param maxBytes maximum length of a line
 */
export async function* splitLines(
  file: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<FileLine> {
  let number = 1;
  let pieces: Buffer[] = [];
  let length = 0;
  const take = (): FileLine => {
    const line = toLine(number, pieces, length > maxBytes);
    number += 1;
    pieces = [];
    length = 0;
    return line;
  };
  const keep = (piece: Buffer): void => {
    length += piece.length;
    // Of a line that is too long nothing is kept.
    if (length > maxBytes) pieces = [];
    else pieces.push(piece);
  };
  for await (const chunk of file) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      keep(bytes.subarray(start, end));
      yield take();
      start = end + 1;
    }
    if (start < bytes.length) keep(bytes.subarray(start));
  }
  // After the end of the last line there is none.
  if (length > 0) yield take();
}

function toLine(number: number, pieces: readonly Buffer[], isTooLong: boolean): FileLine {
  if (isTooLong) return { number, bytes: undefined };
  let bytes = Buffer.concat(pieces);
  if (bytes.at(-1) === RETURN) bytes = bytes.subarray(0, -1);
  if (number === 1 && bytes.subarray(0, MARK.length).equals(MARK)) bytes = bytes.subarray(MARK.length);
  return { number, bytes };
}

/** Returns true for a line with nothing but spaces and tabs. */
export function isBlankLine(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09);
}
