import { isAscii } from 'node:buffer';
import { TextDecoder } from 'node:util';
import { analyse } from 'chardet';
import { hasControls, hasShiftJisKana, isPlausible, isSharedLatin } from './encoding-evidence.js';
import { ExtractionError } from './extraction-error.js';
import { countPartialSurrogate, repairSurrogates } from './repair-surrogates.js';

/** Encodings of text, by their labels in the Encoding Standard. */
export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252' | 'shift_jis' | 'gb18030';

/** Bytes from the first one outside ASCII that the detection of an encoding uses. */
export const ENCODING_SAMPLE_BYTES = 65_536;

/** Bytes of ASCII before them that it uses as well: the words to which they belong. */
export const ENCODING_LEAD_BYTES = 4096;

/** Names of the detection that stand for encodings of ours; ISO-8859-1 is a part of windows-1252. */
const DETECTED: Readonly<Record<string, 'windows-1252' | 'shift_jis' | 'gb18030'>> = {
  'ISO-8859-1': 'windows-1252',
  'windows-1252': 'windows-1252',
  Shift_JIS: 'shift_jis',
  GB18030: 'gb18030',
};

/** Encodings whose characters have several bytes. The detection gives each of them 10 for any few pairs of bytes. */
const MULTI_BYTE: ReadonlySet<string> = new Set(['Shift_JIS', 'Big5', 'EUC-JP', 'EUC-KR', 'GB18030']);

/** Minimum confidence of the detection, 0 to 100, for an encoding that is accepted. */
const MIN_CONFIDENCE = { 'windows-1252': 20, shift_jis: 50, gb18030: 80 } as const;

/** Confidence that kana stand for, which the detection does not know in a short text. */
const KANA_CONFIDENCE = 80;

/** Maximum number of NULs in a text, and the minimum number of bytes for each. A binary file soon has more. */
const NULS = { max: 8, bytes: 8 } as const;

/**
 * Maximum number of U+FFFD in a text in UTF-16 with lone surrogates, and the minimum length for each. Other data read as
 * UTF-16 has more: one unit in 32 is a surrogate.
 */
const REPLACEMENTS = { max: 8, length: 8 } as const;

/**
 * Private and unassigned characters. In other data read as UTF-16, about one unit in eight is such a character, so a text
 * with lone surrogates must have none.
 */
const NOT_TEXT = /[\p{Co}\p{Cn}]/u;

/** Factor by which the confidence has to exceed that of another encoding in which the text is a different one. */
const MARGIN = 1.5;

/**
 * Returns the encoding of the text that begins with these bytes, or null if they are not text in one of the encodings.
 * The sample may end inside a character, unless it is `complete`.
 */
export function detectTextEncoding(sample: Uint8Array, { complete = false } = {}): TextEncoding | null {
  const marked = readByteOrderMark(sample);
  if (marked === 'utf-16le' || marked === 'utf-16be') return decodes(sample, marked) ? marked : null;
  const nuls = countNuls(sample);
  if (!areFewNuls(nuls, sample.length)) return null;
  if (decode(sample, 'utf-8', { complete }) !== null) return 'utf-8';
  if (nuls > 0 || marked !== null) return null;
  const start = sample.findIndex((byte) => byte >= 0x80);
  return detectLegacyEncoding(
    sample.subarray(Math.max(0, start - ENCODING_LEAD_BYTES), start + ENCODING_SAMPLE_BYTES),
  );
}

/**
 * Returns the encoding of text that is neither UTF-8 nor UTF-16; null if it may as well be another one, because wrong
 * text is worse than none.
 * @param sample at most `ENCODING_SAMPLE_BYTES` from the first byte outside ASCII, and `ENCODING_LEAD_BYTES` before it;
 * may end inside a character
 */
export function detectLegacyEncoding(sample: Uint8Array): TextEncoding | null {
  const western = decode(sample, 'windows-1252');
  if (western !== null && isPlausible(western, 'windows-1252') && isSharedLatin(western))
    return 'windows-1252';
  const matches = analyse(sample);
  let best: { encoding: TextEncoding; text: string; confidence: number } | null = null;
  for (const { name, confidence: found } of matches) {
    const encoding = DETECTED[name];
    if (encoding === undefined) continue;
    const isKana = encoding === 'shift_jis' && hasShiftJisKana(sample);
    const confidence = isKana ? Math.max(found, KANA_CONFIDENCE) : found;
    if (confidence < MIN_CONFIDENCE[encoding] || confidence <= (best?.confidence ?? 0)) continue;
    const text = decode(sample, encoding);
    if (text !== null && isPlausible(text, encoding)) best = { encoding, text, confidence };
  }
  if (best === null) return null;
  const { encoding, text, confidence } = best;
  const hasRival = matches.some((match) => {
    if (match.confidence * MARGIN <= confidence) return false;
    if (DETECTED[match.name] === encoding) return false;
    // Without more evidence than this, it is not one.
    if (MULTI_BYTE.has(match.name) && match.confidence <= 10) return false;
    const other = decode(sample, match.name);
    return other !== null && other !== text && !hasControls(other);
  });
  return hasRival ? null : encoding;
}

/** Returns the number of NULs, or some number above those of any text. */
export function countNuls(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0); at !== -1 && count <= NULS.max; at = bytes.indexOf(0, at + 1)) count += 1;
  return count;
}

/** Reports whether a text in UTF-8 may have some NULs, which are not part of its text. */
export function areFewNuls(nuls: number, bytes: number): boolean {
  return nuls <= NULS.max && nuls * NULS.bytes <= bytes;
}

/** Returns the encoding that a byte order mark names. */
export function readByteOrderMark(bytes: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' | null {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return null;
}

/**
 * Returns the text of bytes in any of the encodings. Without a byte order mark, HTML may name its encoding itself.
 * @throws ExtractionError with `unsupported_type` if they are not text
 */
export function decodeText(bytes: Uint8Array, { html = false } = {}): string {
  const isMarked = readByteOrderMark(bytes) !== null;
  const declared = html && !isMarked && !isAscii(bytes) ? readDeclaredEncoding(bytes) : null;
  for (const encoding of [declared, detectTextEncoding(bytes, { complete: true })]) {
    const text = encoding === null ? null : decode(bytes, encoding, { complete: true });
    if (text !== null && (encoding === 'utf-8' || !text.includes('\0'))) return text;
  }
  throw new ExtractionError('unsupported_type');
}

/**
 * Reports whether an HTML document names an encoding, and is text in it.
 * @param head its first bytes, at least 1,024 if it has as many
 * @param sample bytes from the first one outside ASCII; may end inside a character
 */
export function isInDeclaredEncoding(head: Uint8Array, sample: Uint8Array): boolean {
  const declared = readDeclaredEncoding(head);
  const text = declared === null ? null : decode(sample, declared);
  return text !== null && !hasControls(text);
}

/** Returns the encoding that an HTML document names in its first 1,024 bytes. */
function readDeclaredEncoding(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  const label = /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]{1,40})/i.exec(head)?.[1]?.toLowerCase();
  // A document whose first bytes can be read as ASCII is not in UTF-16, whatever it says.
  return label === undefined || label.startsWith('utf-16') ? null : label;
}

/**
 * Returns the text, or null if the bytes are not in the encoding, or the encoding is unknown. Lone surrogates become U+FFFD:
 * any in UTF-8, and a few in UTF-16.
 */
function decode(bytes: Uint8Array, encoding: string, { complete = false } = {}): string | null {
  if (encoding !== 'utf-8')
    return decodeStrictly(bytes, encoding, complete) ?? decodeDamagedUtf16(bytes, encoding, complete);
  const end = bytes.length - (complete ? 0 : countPartialSurrogate(bytes));
  return decodeStrictly(repairSurrogates(bytes.subarray(0, end)), encoding, complete);
}

function decodeStrictly(bytes: Uint8Array, encoding: string, complete: boolean): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: !complete });
  } catch {
    return null;
  }
}

/** Returns a text in UTF-16 with lone surrogates as U+FFFD; null if it may be other bytes. */
function decodeDamagedUtf16(bytes: Uint8Array, encoding: string, complete: boolean): string | null {
  if (encoding !== 'utf-16le' && encoding !== 'utf-16be') return null;
  // A unit has two bytes.
  if (complete && bytes.length % 2 !== 0) return null;
  const text = new TextDecoder(encoding).decode(bytes, { stream: !complete });
  const replaced = text.split('\ufffd', REPLACEMENTS.max + 2).length - 1;
  const areFew = replaced <= REPLACEMENTS.max && replaced * REPLACEMENTS.length <= text.length;
  return areFew && !hasControls(text) && !NOT_TEXT.test(text) ? text : null;
}

function decodes(sample: Uint8Array, encoding: TextEncoding): boolean {
  return decode(sample, encoding)?.includes('\0') === false;
}
