import { isAscii } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type { TextFormat } from './extraction/extracted-text.js';
import { countPartialSurrogate, repairSurrogates } from './extraction/repair-surrogates.js';
import {
  areFewNuls,
  countNuls,
  detectLegacyEncoding,
  detectTextEncoding,
  ENCODING_LEAD_BYTES,
  ENCODING_SAMPLE_BYTES,
  isInDeclaredEncoding,
  readByteOrderMark,
} from './extraction/text-encoding.js';

/** Media type of a file, and the format by which its text is extracted. */
export interface DetectedType {
  /** Without parameters. */
  readonly mediaType: string;
  /** Null if the file has no text that can be extracted. */
  readonly textFormat: TextFormat | null;
}

/** Media type of DOCX documents. */
export const DOCX_TYPE = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

/** Media type of files of old Office versions, and of encrypted ones of newer versions. */
const OLE_TYPE = 'application/x-ole-storage';

/** Signatures at the start of files whose types get special treatment; each character is a byte. */
const SIGNATURES: Readonly<Record<string, (head: string) => boolean>> = {
  'image/png': (head) => head.startsWith('\x89PNG\r\n\x1a\n'),
  'image/jpeg': (head) => head.startsWith('\xff\xd8\xff'),
  'image/gif': (head) => head.startsWith('GIF87a') || head.startsWith('GIF89a'),
  'image/webp': (head) => head.startsWith('RIFF') && head.startsWith('WEBP', 8),
  'application/zip': (head) => head.startsWith('PK\x03\x04') || head.startsWith('PK\x05\x06'),
  [OLE_TYPE]: (head) => head.startsWith('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'),
  // Readers of PDF accept anything before the signature within this distance.
  'application/pdf': (head) => head.includes('%PDF-'),
};

const PDF_START = /^(?:\xef\xbb\xbf)?\s*%PDF-/;

/** Number of bytes needed to check a signature. */
const HEAD_BYTES = 1024;

/** Name in an archive, or in an OLE file, that shows its type. */
const MARKS: Readonly<Record<string, Buffer>> = {
  // Some programs write word/document2.xml.
  'application/zip': Buffer.from('word/document'),
  [OLE_TYPE]: Buffer.from('EncryptedPackage', 'utf16le'),
};

/** First byte of a PNG image. */
const PNG_BYTE = 0x89;

/** Media types accepted for text; any other declaration is ignored. */
const TEXT_TYPE = /^(?:text\/[a-z0-9][a-z0-9.+-]{0,62}|application\/json)$/;

/** Start of an HTML document. */
const HTML_START = /^\s*(?:<!doctype html|<html)[\s>]/i;

/** Detects the media type of a file from its bytes as they arrive. Only for text does the declared type matter. */
export class MediaTypeDetector {
  private head = Buffer.alloc(0);
  /** Undefined once the bytes have turned out not to be UTF-8. */
  private decoder: TextDecoder | undefined = new TextDecoder('utf-8', { fatal: true });
  /** The last bytes that were added, if they may be the beginning of a surrogate. */
  private partial = Buffer.alloc(0);
  private bytes = 0;
  private nuls = 0;
  /** The last bytes before the first one outside ASCII. */
  private lead = Buffer.alloc(0);
  /** Bytes from the first one outside ASCII. */
  private sample: Uint8Array[] = [];
  private sampleBytes = 0;
  private readonly marks = Object.entries(MARKS).map(([type, mark]) => ({
    type,
    finder: new ByteFinder(mark),
  }));

  /** Adds the next bytes. */
  add(bytes: Uint8Array): void {
    if (this.head.length < HEAD_BYTES)
      this.head = Buffer.concat([this.head, bytes.subarray(0, HEAD_BYTES - this.head.length)]);
    this.bytes += bytes.length;
    this.nuls += areFewNuls(this.nuls, Infinity) ? countNuls(bytes) : 0;
    this.decode(bytes);
    this.addToSample(bytes);
    for (const { finder } of this.marks) finder.add(bytes);
  }

  /**
   * Returns the type of all bytes: for an image, a PDF or an archive according to its content; for text the declared
   * type, if it is a text type, or `text/plain`; otherwise `application/octet-stream`.
   */
  detect(declared: string): DetectedType {
    const head = this.head.toString('latin1');
    const known = Object.entries(SIGNATURES).find(([, fits]) => fits(head))?.[0];
    switch (known) {
      case undefined:
        break;
      case 'application/pdf':
        // A text may be about PDF.
        if (!PDF_START.test(head) && this.isText()) break;
        return { mediaType: known, textFormat: 'pdf' };
      case 'application/zip':
        return this.hasMark(known)
          ? { mediaType: DOCX_TYPE, textFormat: 'docx' }
          : { mediaType: known, textFormat: null };
      case OLE_TYPE:
        // The extraction answers that it is encrypted.
        return { mediaType: known, textFormat: this.hasMark(known) ? 'docx' : null };
      default:
        return { mediaType: known, textFormat: null };
    }
    this.decode();
    const type = declared.split(';', 1)[0]?.trim().toLowerCase() ?? '';
    const mediaType = TEXT_TYPE.test(type) ? type : 'text/plain';
    const isHtml = mediaType === 'text/html' || (mediaType === 'text/plain' && this.beginsAsHtml());
    if (!this.isText({ isHtml })) return { mediaType: 'application/octet-stream', textFormat: null };
    return isHtml ? { mediaType: 'text/html', textFormat: 'html' } : { mediaType, textFormat: 'text' };
  }

  private isText({ isHtml = false } = {}): boolean {
    // A truncated image: PNG begins with a byte with which no text begins.
    // https://www.w3.org/TR/png-3/#5PNG-file-signature
    if (this.head[0] === PNG_BYTE) return false;
    const marked = readByteOrderMark(this.head);
    if (marked === 'utf-16le' || marked === 'utf-16be') return detectTextEncoding(this.head) !== null;
    if (!areFewNuls(this.nuls, this.bytes)) return false;
    if (this.decoder !== undefined) return true;
    if (this.nuls > 0 || marked !== null) return false;
    if (isHtml && isInDeclaredEncoding(this.head, Buffer.concat(this.sample))) return true;
    return detectLegacyEncoding(Buffer.concat([this.lead, ...this.sample])) !== null;
  }

  private beginsAsHtml(): boolean {
    const marked = readByteOrderMark(this.head);
    return HTML_START.test(new TextDecoder(marked ?? 'latin1').decode(this.head));
  }

  private hasMark(type: string): boolean {
    return this.marks.some((mark) => mark.type === type && mark.finder.found);
  }

  private addToSample(bytes: Uint8Array): void {
    if (this.sampleBytes >= ENCODING_SAMPLE_BYTES) return;
    let start = 0;
    if (this.sampleBytes === 0) {
      const first = isAscii(bytes) ? bytes.length : bytes.findIndex((byte) => byte >= 0x80);
      const ascii = bytes.subarray(Math.max(0, first - ENCODING_LEAD_BYTES), first);
      this.lead = Buffer.from(Buffer.concat([this.lead, ascii]).subarray(-ENCODING_LEAD_BYTES));
      start = first;
    }
    // A copy: the caller may reuse its memory.
    const piece = Uint8Array.from(bytes.subarray(start, start + ENCODING_SAMPLE_BYTES - this.sampleBytes));
    if (piece.length === 0) return;
    this.sample.push(piece);
    this.sampleBytes += piece.length;
  }

  /** Decodes bytes. Without bytes, checks that the last character is complete. */
  private decode(bytes?: Uint8Array): void {
    if (this.decoder === undefined) return;
    const given = bytes ?? new Uint8Array();
    const added = this.partial.length === 0 ? given : Buffer.concat([this.partial, given]);
    const end = bytes === undefined ? added.length : added.length - countPartialSurrogate(added);
    // A copy, because the bytes are the caller's.
    this.partial = Buffer.from(added.subarray(end));
    try {
      this.decoder.decode(repairSurrogates(added.subarray(0, end)), { stream: bytes !== undefined });
    } catch {
      this.decoder = undefined;
    }
  }
}

/** Finds a sequence of bytes in a stream, also across the borders of its pieces. */
class ByteFinder {
  found = false;
  private tail = Buffer.alloc(0);

  constructor(private readonly wanted: Buffer) {}

  add(bytes: Uint8Array): void {
    if (this.found) return;
    const overlap = this.wanted.length - 1;
    const border = Buffer.concat([this.tail, bytes.subarray(0, overlap)]);
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.found = border.includes(this.wanted) || piece.includes(this.wanted);
    const end = piece.length >= overlap ? piece : Buffer.concat([this.tail, piece]);
    this.tail = Buffer.from(end.subarray(Math.max(0, end.length - overlap)));
  }
}
