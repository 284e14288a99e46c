import { invalidResponseError } from '../port/index.js';
import { decodeUtf8 } from './response-body.js';

/** First characters of JSON and of markup. No line of an event stream begins with them. */
const DOCUMENT = new Set(['{', '[', '"', '<']);

/** Maximum size of a document in memory, in bytes. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Matches the beginning of a line of an event stream, even if it is incomplete. */
const EVENT_LINE = /^(?:data|event|id|retry)?\s*(?::|$)/;

/**
 * Distinguishes an event stream from a single document by the first character of a response, because content
 * types are unreliable. Collects the bytes of a document.
 */
export class ResponseSniffer {
  private readonly pieces: Uint8Array[] = [];
  private length = 0;
  /** Up to 64 bytes, without leading white space and byte order mark. */
  private head = '';

  /** True if the response begins with neither a comment nor a field of an event stream. */
  get isForeign(): boolean {
    const [line = ''] = this.head.split(/[\r\n]/);
    return this.head !== '' && !EVENT_LINE.test(line);
  }

  /**
   * Returns true if the bytes belong to a document, and collects them. Those of an event stream are left to its
   * reader.
   * @throws ProviderError for a document that is too large
   */
  takes(bytes: Uint8Array): boolean {
    if (this.head === '') this.head = firstCharacters(bytes);
    if (!DOCUMENT.has(this.head.charAt(0))) return false;
    this.length += bytes.length;
    if (this.length > MAX_BYTES) throw invalidResponseError('it is larger than 64 MiB');
    this.pieces.push(bytes);
    return true;
  }

  /** Returns the document, once it is complete; undefined for an event stream. */
  document(): string | undefined {
    return this.pieces.length === 0 ? undefined : decodeUtf8(this.pieces);
  }
}

/** Bytes of white space and of a byte order mark. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf]);

function firstCharacters(bytes: Uint8Array): string {
  const start = bytes.findIndex((byte) => !BLANKS.has(byte));
  if (start === -1) return '';
  return Buffer.from(bytes.subarray(start, start + 64))
    .toString('utf8')
    .trimStart();
}
