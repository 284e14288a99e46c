/** An event to be sent to a client. */
export interface OutgoingEvent {
  /** Sent back by a reconnecting client as `Last-Event-ID`. */
  readonly id?: string;
  /** The `event:` field, for API formats with named events. */
  readonly event?: string;
  /** An object is sent as JSON; a string, which must not contain a line break, is sent as is. */
  readonly data: object | string;
}

/** An event of a `text/event-stream`, as defined by the WHATWG HTML standard, section 9.2. */
export interface EventFrame {
  /** The `event:` field; empty if absent. */
  readonly event: string;
  /** The `data:` lines, joined by line feeds. */
  readonly data: string;
}

/** Maximum size of an event in UTF-16 units; a larger one indicates a broken or hostile stream. */
const MAX_EVENT_LENGTH = 16 * 1024 * 1024;

/** Reports a stream that is not an event stream, or has an event that is too large. */
export class EventStreamError extends Error {
  override readonly name = 'EventStreamError';
}

/**
 * Splits the bytes of an event stream into events. Bytes may be split anywhere, even within a code point. Pushing is
 * synchronous, so that a chunk with a hundred events takes one turn of the event loop.
 */
export class EventStreamReader {
  private readonly decoder = new TextDecoder('utf-8');
  /**
   * Pieces of an unfinished line, joined only once it is complete: joining at each push would take quadratic time.
   */
  private pieces: string[] = [];
  private piecesLength = 0;
  private event = '';
  private data: string | undefined;
  private dataLength = 0;

  /**
   * Returns the events that the bytes complete.
   * @throws EventStreamError if an event exceeds 16 Mi characters
   */
  push(bytes: Uint8Array): EventFrame[] {
    return this.read(this.decoder.decode(bytes, { stream: true }), false);
  }

  /**
   * Returns the events that the end of the stream completes. An event without its blank line is incomplete and
   * dropped.
   */
  end(): EventFrame[] {
    return this.read(this.decoder.decode(), true);
  }

  private read(text: string, ended: boolean): EventFrame[] {
    const frames: EventFrame[] = [];
    const carriageReturnWaits = this.pieces.at(-1)?.endsWith('\r') ?? false;
    if (ended || carriageReturnWaits || text.includes('\n') || text.includes('\r')) {
      this.lines(this.pieces.join('') + text, ended, frames);
    } else if (text !== '') {
      this.pieces.push(text);
      this.piecesLength += text.length;
    }
    if (this.piecesLength + this.dataLength > MAX_EVENT_LENGTH) {
      throw new EventStreamError('An event of the stream is longer than 16 Mi characters.');
    }
    return frames;
  }

  private lines(text: string, ended: boolean, frames: EventFrame[]): void {
    let from = 0;
    for (;;) {
      const end = nextLineEnd(text, from, ended);
      if (end === undefined) break;
      this.line(text.slice(from, end.at), frames);
      from = end.next;
    }
    const rest = text.slice(from);
    this.pieces = rest === '' ? [] : [rest];
    this.piecesLength = rest.length;
  }

  private line(line: string, frames: EventFrame[]): void {
    if (line === '') {
      if (this.data !== undefined) frames.push({ event: this.event, data: this.data });
      this.event = '';
      this.data = undefined;
      this.dataLength = 0;
    } else if (line.startsWith('data:')) {
      const value = fieldValue(line, 5);
      this.data = this.data === undefined ? value : `${this.data}\n${value}`;
      this.dataLength = this.data.length;
    } else if (line.startsWith('event:')) {
      this.event = fieldValue(line, 6);
    }
    // Comments (lines that begin with a colon), `id:`, `retry:` and unknown fields are ignored.
  }
}

function fieldValue(line: string, from: number): string {
  return line.charCodeAt(from) === 32 ? line.slice(from + 1) : line.slice(from);
}

/**
 * Returns the next line end at or after `from`: LF, CRLF or CR. A CR at the very end may be half of a CRLF, so it
 * waits.
 */
function nextLineEnd(text: string, from: number, ended: boolean): { at: number; next: number } | undefined {
  const lineFeed = text.indexOf('\n', from);
  const limit = lineFeed === -1 ? text.length : lineFeed;
  const carriageReturn = text.slice(from, limit).indexOf('\r');
  if (carriageReturn === -1) return lineFeed === -1 ? undefined : { at: lineFeed, next: lineFeed + 1 };
  const at = from + carriageReturn;
  if (at + 1 === lineFeed) return { at, next: lineFeed + 1 };
  if (at + 1 === text.length && !ended) return undefined;
  return { at, next: at + 1 };
}
