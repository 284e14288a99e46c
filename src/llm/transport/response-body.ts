import type { Dispatcher } from 'undici';
import { throwBodyError, withBodyErrors } from './broken-body.js';
import { codingsOf, decompress } from './content-coding.js';

/**
 * Maximum wait for the end of a body after its last event before the connection is closed instead of reused, in
 * milliseconds.
 */
const DRAIN_MS = 1_000;

/** The body of a response, decompressed if necessary. It must be read to its end, finished or abandoned. */
export class ResponseBody {
  private readonly raw: Dispatcher.ResponseData['body'];
  private readonly codings: readonly string[];

  constructor({ body, headers }: Pick<Dispatcher.ResponseData, 'body' | 'headers'>) {
    this.raw = body;
    this.codings = codingsOf(headers['content-encoding']);
  }

  /**
   * Returns the bytes as they arrive. If the iteration stops early, call `finish` or `abandon`.
   * @throws BrokenBodyError, or ProviderError for a response that is too large or cannot be decompressed, from
   * the iteration
   */
  bytes(): AsyncIterable<Uint8Array> {
    const packed = withBodyErrors(this.raw.iterator({ destroyOnReturn: false }));
    return this.codings.length === 0 ? packed : decompress(packed, this.codings);
  }

  /**
   * Reads the whole body as text, without a byte order mark.
   * @throws BrokenBodyError, or ProviderError for a response that is too large or cannot be decompressed
   */
  async text(): Promise<string> {
    if (this.codings.length === 0) return this.raw.text().catch(throwBodyError);
    try {
      return decodeUtf8(await Array.fromAsync(this.bytes()));
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  /**
   * Discards the rest of the body, so that the connection can be reused.
   * @param maxWaitMs maximum wait, in milliseconds, after which the connection is closed instead
   */
  async finish(maxWaitMs = DRAIN_MS): Promise<void> {
    try {
      // The size limit includes the bytes already read, so it cannot limit the rest; the timeout does.
      await this.raw.dump({ limit: Number.MAX_SAFE_INTEGER, signal: AbortSignal.timeout(maxWaitMs) });
    } catch {
      this.abandon();
    }
  }

  /** Discards the rest of the body and closes the connection. */
  abandon(): void {
    // Destroying a body before its end emits an error; without a listener it would end the process.
    this.raw.on('error', () => undefined);
    this.raw.destroy();
  }
}

/** Decodes bytes. Removes a byte order mark, which JSON does not allow. */
export function decodeUtf8(pieces: readonly Uint8Array[]): string {
  const [first] = pieces;
  const bytes =
    pieces.length === 1 && first !== undefined
      ? Buffer.from(first.buffer, first.byteOffset, first.length)
      : Buffer.concat(pieces);
  const text = bytes.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
