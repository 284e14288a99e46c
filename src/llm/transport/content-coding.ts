import { PassThrough, pipeline, type Transform } from 'node:stream';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { ProviderError, unreadableAnswer } from '../port/index.js';
import { BrokenBodyError, MAX_BODY_BYTES } from './broken-body.js';

/**
 * The coding that we ask for. Without the header any coding would be allowed (RFC 9110, section 12.5.3), and unpacking
 * costs more than everything else that is done to an event. Hosts that pack all the same are understood.
 */
export const ACCEPT_ENCODING = { 'accept-encoding': 'identity' } as const;

/** Most codings on top of each other. */
const MAX_CODINGS = 3;

/** Makes the stream that unpacks a body, by its first bytes: headers do not always tell the truth. */
type MakeUnpacker = (first: Uint8Array) => Transform;

type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

const UNPACKERS: ReadonlyMap<string, MakeUnpacker> = new Map([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', inflate],
  ['br', () => createBrotliDecompress()],
  ['zstd', () => createZstdDecompress()],
]);

/** Error codes of zlib, Brotli and Zstandard for bytes that are not of their format. */
const FORMAT_ERROR = /^(?:Z_|ERR__ERROR|ERR_BROTLI|ERR_ZSTD|ZSTD_)/;

/** Returns the codings of a `content-encoding` header, the last applied last; none for a body that is not packed. */
export function codingsOf(header: string | readonly string[] | undefined): readonly string[] {
  if (header === undefined) return [];
  return (typeof header === 'string' ? header : header.join(','))
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity');
}

/**
 * Unpacks a body no faster than it is read. Leaving the iteration ends the unpacking, and leaves the body itself.
 * @param codings as `codingsOf` returns them
 * @throws ProviderError `unreadable_answer` for a coding that we do not know, a body that is not of it and one that is
 *   too large; BrokenBodyError for one that ends early
 */
export async function* unpack(packed: Bytes, codings: readonly string[]): AsyncGenerator<Uint8Array, void> {
  let bytes = packed;
  for (const coding of codings.toReversed()) {
    const make = UNPACKERS.get(coding);
    if (make === undefined || codings.length > MAX_CODINGS) {
      throw unreadableAnswer(`its content encoding is '${codings.join(', ').slice(0, 80)}'`);
    }
    bytes = unpackOne(bytes, make);
  }
  let length = 0;
  try {
    for await (const piece of bytes) {
      length += piece.length;
      if (length > MAX_BODY_BYTES) throw unreadableAnswer('it decompresses to more than 256 MiB');
      yield piece;
    }
  } catch (error) {
    throw asUnpackingError(error);
  }
}

async function* unpackOne(packed: Bytes, make: MakeUnpacker): AsyncGenerator<Uint8Array, void> {
  const rest = Symbol.asyncIterator in packed ? packed[Symbol.asyncIterator]() : packed[Symbol.iterator]();
  const first = await rest.next();
  if (first.done === true) return;
  const unpacker = make(first.value);
  // The callback is there because a pipeline wants one: whoever reads the unpacker sees the error as well.
  pipeline(startingWith(first.value, rest), unpacker, () => undefined);
  yield* unpacker;
}

async function* startingWith(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array> | Iterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield first;
    for (;;) {
      const next = await rest.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}

/** An end before the end of what was packed is a connection that broke off: another try may bring all of it. */
function asUnpackingError(error: unknown): Error {
  if (error instanceof ProviderError || error instanceof BrokenBodyError) return error;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || code === 'Z_BUF_ERROR' || !FORMAT_ERROR.test(code))
    return new BrokenBodyError(error);
  return unreadableAnswer('it cannot be decompressed', error);
}

/** Some proxies unpack a body and leave the header. */
function gunzip([first]: Uint8Array): Transform {
  return first === 0x1f ? createGunzip() : new PassThrough();
}

/** "deflate" means zlib's format (RFC 9110, section 8.4.1.2), and some servers send the bare one. */
function inflate(beginning: Uint8Array): Transform {
  const [one = 0, two] = beginning;
  const isZlib = (one & 0x0f) === 8 && (two === undefined || (one * 256 + two) % 31 === 0);
  return isZlib ? createInflate() : createInflateRaw();
}
