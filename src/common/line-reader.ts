import { TextDecoder } from 'node:util';

/** A line longer than this is taken for a broken or hostile stream. In UTF-16 units. */
const MAX_LINE_LENGTH = 16 * 1024 * 1024;

/** A line is longer than we can hold. */
export class LineTooLongError extends Error {
  override readonly name = 'LineTooLongError';

  constructor(maxLength: number) {
    super(`A line of the stream is longer than ${maxLength} characters.`);
  }
}

/**
 * Cuts bytes into lines, which end with LF or CRLF; a CR elsewhere belongs to its line. Bytes may be split anywhere,
 * in the middle of a code point too. Pushing is synchronous, so that a piece with a hundred lines costs one turn of
 * the event loop.
 */
export class LineReader {
  private readonly decoder: TextDecoder;
  private readonly maxLength: number;
  private readonly keepEnds: boolean;
  /** The pieces of an unfinished line, joined only when its end has come: joining at each push would be quadratic. */
  private pieces: string[] = [];
  private piecesLength = 0;

  /**
   * @param options.maxLength of a line, in UTF-16 units
   * @param options.keepEnds gives the lines as they came, with their ends and a byte order mark if there was one
   */
  constructor(options: { readonly maxLength?: number; readonly keepEnds?: boolean } = {}) {
    this.maxLength = options.maxLength ?? MAX_LINE_LENGTH;
    this.keepEnds = options.keepEnds ?? false;
    this.decoder = new TextDecoder('utf-8', { ignoreBOM: this.keepEnds });
  }

  /**
   * The lines that the bytes complete, without their ends unless they are to be kept.
   * @throws LineTooLongError
   */
  push(bytes: Uint8Array): string[] {
    const text = this.decoder.decode(bytes, { stream: true });
    if (!text.includes('\n')) {
      this.keep(text);
      return [];
    }
    const lines = (this.pieces.join('') + text).split('\n');
    const rest = lines.pop() ?? '';
    this.pieces = [];
    this.piecesLength = 0;
    this.keep(rest);
    return lines.map((line) => this.checked(this.keepEnds ? `${line}\n` : withoutReturn(line)));
  }

  /** What stands after the last line end, if anything does. */
  end(): string[] {
    const rest = this.pieces.join('') + this.decoder.decode();
    this.pieces = [];
    this.piecesLength = 0;
    return rest === '' ? [] : [this.checked(rest)];
  }

  private keep(text: string): void {
    if (text === '') return;
    this.pieces.push(text);
    this.piecesLength += text.length;
    if (this.piecesLength > this.maxLength) throw new LineTooLongError(this.maxLength);
  }

  private checked(line: string): string {
    if (line.length > this.maxLength) throw new LineTooLongError(this.maxLength);
    return line;
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
