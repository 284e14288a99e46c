import { TextDecoder } from 'node:util';

/** Default maximum length of a line in UTF-16 units; a longer one indicates a broken or hostile stream. */
const MAX_LINE_LENGTH = 16 * 1024 * 1024;

/** Reports a line that is too long. */
export class LineTooLongError extends Error {
  override readonly name = 'LineTooLongError';

  constructor(maxLength: number) {
    super(`A line of the stream is longer than ${maxLength} characters.`);
  }
}

/**
 * Splits bytes into lines, which end with LF or CRLF; a CR elsewhere belongs to its line. Bytes may be split
 * anywhere, even within a code point. Pushing is synchronous, so that a chunk with a hundred lines takes one turn of
 * the event loop.
 */
export class LineReader {
  private readonly decoder: TextDecoder;
  private readonly maxLength: number;
  private readonly keepLineEnds: boolean;
  /**
   * Pieces of an unfinished line, joined only once it is complete: joining at each push would take quadratic time.
   */
  private pieces: string[] = [];
  private piecesLength = 0;

  /**
   * @param options.maxLength maximum length of a line, in UTF-16 units
   * @param options.keepEnds returns lines unchanged, with their ends and a byte order mark, if any
   */
  constructor(options: { readonly maxLength?: number; readonly keepEnds?: boolean } = {}) {
    this.maxLength = options.maxLength ?? MAX_LINE_LENGTH;
    this.keepLineEnds = options.keepEnds ?? false;
    this.decoder = new TextDecoder('utf-8', { ignoreBOM: this.keepLineEnds });
  }

  /**
   * Returns the lines that the bytes complete, without their ends unless `keepEnds` is set.
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
    return lines.map((line) => this.checked(this.keepLineEnds ? `${line}\n` : withoutReturn(line)));
  }

  /** Returns the text after the last line end, if any. */
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
