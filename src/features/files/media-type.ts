import { TextDecoder } from 'node:util';

/** Signatures at the start of files whose types get special treatment; each character is a byte. */
const SIGNATURES: Readonly<Record<string, (head: string) => boolean>> = {
  'image/png': (head) => head.startsWith('\x89PNG\r\n\x1a\n'),
  'image/jpeg': (head) => head.startsWith('\xff\xd8\xff'),
  'image/gif': (head) => head.startsWith('GIF87a') || head.startsWith('GIF89a'),
  'image/webp': (head) => head.startsWith('RIFF') && head.startsWith('WEBP', 8),
  'application/pdf': (head) => head.startsWith('%PDF-'),
};

/** Number of bytes needed to check a signature. */
const HEAD_BYTES = 12;

/** Media types accepted for text; any other declaration is ignored. */
const TEXT_TYPE = /^(?:text\/[a-z0-9][a-z0-9.+-]{0,62}|application\/json)$/;

/** Detects the media type of a file from its bytes as they arrive. Only for text does the declared type matter. */
export class MediaTypeDetector {
  private head = Buffer.alloc(0);
  /** Undefined once the bytes have turned out not to be text. */
  private decoder: TextDecoder | undefined = new TextDecoder('utf-8', { fatal: true });

  /** Adds the next bytes. */
  add(bytes: Uint8Array): void {
    if (this.head.length < HEAD_BYTES)
      this.head = Buffer.concat([this.head, bytes.subarray(0, HEAD_BYTES - this.head.length)]);
    // Text contains no NUL, and PostgreSQL and most programs that read text cannot handle one.
    if (bytes.includes(0)) this.decoder = undefined;
    this.decode(bytes);
  }

  /**
   * Returns the media type of all bytes, without parameters: for an image or a PDF according to its signature; for
   * UTF-8 text the declared type, if it is a text type, or `text/plain`; otherwise `application/octet-stream`.
   */
  detect(declared: string): string {
    const head = this.head.toString('latin1');
    const known = Object.entries(SIGNATURES).find(([, fits]) => fits(head));
    if (known !== undefined) return known[0];
    this.decode();
    if (this.decoder === undefined) return 'application/octet-stream';
    const type = declared.split(';', 1)[0]?.trim().toLowerCase() ?? '';
    return TEXT_TYPE.test(type) ? type : 'text/plain';
  }

  /** Decodes bytes. Without bytes, checks that the last character is complete. */
  private decode(bytes?: Uint8Array): void {
    try {
      this.decoder?.decode(bytes, { stream: bytes !== undefined });
    } catch {
      this.decoder = undefined;
    }
  }
}
