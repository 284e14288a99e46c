import type { Dispatcher } from 'undici';
import { throwBodyError, withBrokenBody } from './broken-body.js';
import { codingsOf, unpack } from './content-coding.js';

/** How long the end of a body may take after its last event for the connection to be worth keeping, in milliseconds. */
const DRAIN_MS = 1_000;

/** The body of an answer, unpacked if the host packed it. It must be read to its end, or be finished or abandoned. */
export class ResponseBody {
  private readonly raw: Dispatcher.ResponseData['body'];
  private readonly codings: readonly string[];

  constructor({ body, headers }: Pick<Dispatcher.ResponseData, 'body' | 'headers'>) {
    this.raw = body;
    this.codings = codingsOf(headers['content-encoding']);
  }

  /**
   * The bytes as they come. Leaving the iteration leaves the body to `finish` or `abandon`.
   * @throws BrokenBodyError, or ProviderError for an answer that is too large or cannot be unpacked, from the iteration
   */
  bytes(): AsyncIterable<Uint8Array> {
    const packed = withBrokenBody(this.raw.iterator({ destroyOnReturn: false }));
    return this.codings.length === 0 ? packed : unpack(packed, this.codings);
  }

  /**
   * Reads the whole body as text, without a byte order mark.
   * @throws BrokenBodyError, or ProviderError for an answer that is too large or cannot be unpacked
   */
  async text(): Promise<string> {
    if (this.codings.length === 0) return this.raw.text().catch(throwBodyError);
    try {
      return toText(await Array.fromAsync(this.bytes()));
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  /**
   * Reads the rest, which holds nothing of use any more, so that the connection can be used again.
   * @param longestMs after which the connection is closed instead
   */
  async finish(longestMs = DRAIN_MS): Promise<void> {
    try {
      // The limit counts what was read before, so it cannot bound the rest; the time does.
      await this.raw.dump({ limit: Number.MAX_SAFE_INTEGER, signal: AbortSignal.timeout(longestMs) });
    } catch {
      this.abandon();
    }
  }

  /** Leaves the rest, which nobody wants, and closes the connection. */
  abandon(): void {
    // A body that is destroyed before its end tells so as an error; with nobody listening that would end the process.
    this.raw.on('error', () => undefined);
    this.raw.destroy();
  }
}

/** Returns the text of bytes. A byte order mark is no part of it, and JSON does not know it. */
export function toText(pieces: readonly Uint8Array[]): string {
  const [first] = pieces;
  const bytes =
    pieces.length === 1 && first !== undefined
      ? Buffer.from(first.buffer, first.byteOffset, first.length)
      : Buffer.concat(pieces);
  const text = bytes.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
