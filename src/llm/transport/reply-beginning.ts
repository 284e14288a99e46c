import { unreadableAnswer } from '../port/index.js';
import { toText } from './response-body.js';

/** Beginnings of JSON and of markup. No line of an event stream begins so. */
const DOCUMENT = new Set(['{', '[', '"', '<']);

/** Most bytes of a document that is kept. */
const MAX_BYTES = 64 * 1024 * 1024;

/** A line that an event stream may begin with, as far as it has come. */
const EVENT_LINE = /^(?:data|event|id|retry)?\s*(?::|$)/;

/**
 * Tells by its first character whether the answer to a streamed request is a stream of events or one document, because
 * content types cannot be trusted to. Keeps the bytes of a document.
 */
export class ReplyBeginning {
  private readonly pieces: Uint8Array[] = [];
  private length = 0;
  /** Up to 64 bytes, without white space and a byte order mark before them. */
  private head = '';

  /** Whether what came begins with neither a comment nor a field of an event stream. */
  get isForeign(): boolean {
    const [line = ''] = this.head.split(/[\r\n]/);
    return this.head !== '' && !EVENT_LINE.test(line);
  }

  /**
   * Whether the bytes belong to a document. Those of an event stream are left to its reader.
   * @throws ProviderError for a document that is too large
   */
  takes(bytes: Uint8Array): boolean {
    if (this.head === '') this.head = headOf(bytes);
    if (!DOCUMENT.has(this.head.charAt(0))) return false;
    this.length += bytes.length;
    if (this.length > MAX_BYTES) throw unreadableAnswer('it is larger than 64 MiB');
    this.pieces.push(bytes);
    return true;
  }

  /** The document, once all of it has come; undefined for an event stream. */
  document(): string | undefined {
    return this.pieces.length === 0 ? undefined : toText(this.pieces);
  }
}

function headOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('utf8').trimStart();
}
