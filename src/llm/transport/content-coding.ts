import { PassThrough, pipeline, type Transform } from 'node:stream';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { ProviderError, invalidResponseError } from '../port/index.js';
import { BrokenBodyError, MAX_BODY_BYTES } from './broken-body.js';

/**
 * The content coding that we request. Without the header, any coding would be allowed (RFC 9110, section
 * 12.5.3), and decompression costs more than all other processing of an event. Compressed responses are
 * supported nevertheless.
 */
export const ACCEPT_ENCODING = { 'accept-encoding': 'identity' } as const;

/** Maximum number of nested codings. */
const MAX_CODINGS = 3;

/**
 * Creates the stream that decompresses a body, depending on its first bytes: headers are not always correct.
 */
type MakeUnpacker = (first: Uint8Array) => Transform;

type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

const UNPACKERS: ReadonlyMap<string, MakeUnpacker> = new Map([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', inflate],
  ['br', () => createBrotliDecompress()],
  ['zstd', () => createZstdDecompress()],
]);

/** Values that name no compression: hosts write `none`, or a charset, in the wrong header. */
const NO_CODINGS: ReadonlySet<string> = new Set([
  '',
  'identity',
  'none',
  'null',
  'plain',
  'text',
  'binary',
  '7bit',
  '8bit',
  'utf-8',
  'utf8',
  'us-ascii',
  'iso-8859-1',
  'chunked',
]);

/** Minimum and maximum length of the beginning of a body that shows that it is text, in bytes. */
const MIN_TEXT = 8;
const MAX_TEXT = 64;

/** Matches the beginning of JSON, of markup and of an event stream. */
const TEXT_BEGINNING = /^\s*(?:[{["<]|(?:data|event|id|retry)?:)/;

/** Matches the error codes of zlib, Brotli and Zstandard for bytes that are not in their format. */
const FORMAT_ERROR = /^(?:Z_|ERR__ERROR|ERR_BROTLI|ERR_ZSTD|ZSTD_)/;

/**
 * Returns the codings of a `content-encoding` header, in the order in which they were applied; empty for an
 * uncompressed body.
 */
export function codingsOf(header: string | readonly string[] | undefined): readonly string[] {
  if (header === undefined) return [];
  return (typeof header === 'string' ? header : header.join(','))
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => !NO_CODINGS.has(coding));
}

/**
 * Decompresses a body no faster than it is read. Stopping the iteration stops the decompression, but does not
 * close the body itself.
 * @param codings as returned by `codingsOf`
 * @throws ProviderError `unreadable_answer` for an unknown coding, and for a body that is not in its format or
 * is too large
 * @throws BrokenBodyError for a body that ends early
 */
export async function* decompress(
  packed: Bytes,
  codings: readonly string[],
): AsyncGenerator<Uint8Array, void> {
  let bytes = packed;
  for (const coding of codings.toReversed()) {
    const make = codings.length > MAX_CODINGS ? undefined : UNPACKERS.get(coding);
    bytes = unpackOne(bytes, make ?? (() => refuse(codings)));
  }
  let length = 0;
  try {
    for await (const piece of bytes) {
      length += piece.length;
      if (length > MAX_BODY_BYTES) throw invalidResponseError('it decompresses to more than 256 MiB');
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
  const unpacker = isText(first.value) ? new PassThrough() : make(first.value);
  // `pipeline` requires a callback; the reader of the decompressor sees the error as well.
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

/**
 * Converts a decompression error. An end before the end of the compressed data is a broken connection: a retry
 * may return all of it.
 */
function asUnpackingError(error: unknown): Error {
  if (error instanceof ProviderError || error instanceof BrokenBodyError) return error;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || code === 'Z_BUF_ERROR' || !FORMAT_ERROR.test(code))
    return new BrokenBodyError(error);
  return invalidResponseError('it cannot be decompressed', error);
}

function refuse(codings: readonly string[]): never {
  throw invalidResponseError(`its content encoding is '${codings.join(', ').slice(0, 80)}'`);
}

/**
 * Returns true if a body is not compressed, whatever its header says: some proxies decompress a body but leave
 * the header. Brotli and raw deflate have no signature, but more than a few bytes of them are never text.
 */
function isText(first: Uint8Array): boolean {
  const beginning = first.subarray(0, MAX_TEXT);
  if (beginning.length < MIN_TEXT || beginning.some(isControl)) return false;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(beginning, { stream: true });
    return TEXT_BEGINNING.test(text);
  } catch {
    return false;
  }
}

function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f;
}

/** Decompresses gzip. A body without its signature is not compressed. */
function gunzip([first]: Uint8Array): Transform {
  return first === 0x1f ? createGunzip() : new PassThrough();
}

/**
 * Decompresses "deflate", which means zlib's format (RFC 9110, section 8.4.1.2), though some servers send the
 * raw one.
 */
function inflate(beginning: Uint8Array): Transform {
  const [one = 0, two] = beginning;
  const isZlib = (one & 0x0f) === 8 && (two === undefined || (one * 256 + two) % 31 === 0);
  return isZlib ? createInflate() : createInflateRaw();
}
