import { TextDecoder } from 'node:util';

/** What the bytes of a file begin with, for the types that are treated in a way of their own; each byte a character. */
const SIGNATURES: Readonly<Record<string, (head: string) => boolean>> = {
  'image/png': (head) => head.startsWith('\x89PNG\r\n\x1a\n'),
  'image/jpeg': (head) => head.startsWith('\xff\xd8\xff'),
  'image/gif': (head) => head.startsWith('GIF87a') || head.startsWith('GIF89a'),
  'image/webp': (head) => head.startsWith('RIFF') && head.startsWith('WEBP', 8),
  'application/pdf': (head) => head.startsWith('%PDF-'),
};

/** The bytes that a signature is looked for in. */
const HEAD_BYTES = 12;

/** What a client may call a text; whatever else it says of one is not believed. */
const TEXT_TYPE = /^(?:text\/[a-z0-9][a-z0-9.+-]{0,62}|application\/json)$/;

/** Finds what a file is from its bytes, as they come. Only of a text it matters what its sender calls it. */
export class MediaTypeFinder {
  private head = Buffer.alloc(0);
  /** Undefined as soon as the bytes have turned out to be no text. */
  private decoder: TextDecoder | undefined = new TextDecoder('utf-8', { fatal: true });

  /** Takes the next bytes. */
  add(bytes: Uint8Array): void {
    if (this.head.length < HEAD_BYTES)
      this.head = Buffer.concat([this.head, bytes.subarray(0, HEAD_BYTES - this.head.length)]);
    // No text has a NUL, and PostgreSQL and most of what reads texts cannot take one.
    if (bytes.includes(0)) this.decoder = undefined;
    this.decode(bytes);
  }

  /**
   * The type of all bytes together, without parameters: that of an image or a PDF by its signature; for text in UTF-8
   * what was declared, if that is a text, or `text/plain`; else `application/octet-stream`.
   */
  find(declared: string): string {
    const head = this.head.toString('latin1');
    const known = Object.entries(SIGNATURES).find(([, fits]) => fits(head));
    if (known !== undefined) return known[0];
    this.decode();
    if (this.decoder === undefined) return 'application/octet-stream';
    const type = declared.split(';', 1)[0]?.trim().toLowerCase() ?? '';
    return TEXT_TYPE.test(type) ? type : 'text/plain';
  }

  /** Without bytes: looks whether the last character is whole. */
  private decode(bytes?: Uint8Array): void {
    try {
      this.decoder?.decode(bytes, { stream: bytes !== undefined });
    } catch {
      this.decoder = undefined;
    }
  }
}
