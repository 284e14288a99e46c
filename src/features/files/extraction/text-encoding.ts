import { isAscii } from 'node:buffer';
import { TextDecoder } from 'node:util';
import { analyse } from 'chardet';
import { ExtractionError } from './extraction-error.js';

/** Encodings of text, by their labels in the Encoding Standard. */
export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252' | 'shift_jis' | 'gb18030';

/** Bytes from the first one outside ASCII that the detection of an encoding uses. */
export const ENCODING_SAMPLE_BYTES = 65_536;

/** Names of the detection that stand for encodings of ours; ISO-8859-1 is a part of windows-1252. */
const DETECTED: Readonly<Record<string, TextEncoding>> = {
  'ISO-8859-1': 'windows-1252',
  'windows-1252': 'windows-1252',
  Shift_JIS: 'shift_jis',
  GB18030: 'gb18030',
};

/** Control characters that no text contains; the last range has those that windows-1252 leaves undefined. */
// eslint-disable-next-line no-control-regex -- that is what they are
const CONTROL = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\u007f-\u009f]/;

/** A character of Western European languages outside ASCII. */
const WESTERN = /[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e]/g;

/** Punctuation and signs of windows-1252 that stand in ordinary text. */
const WESTERN_SIGN =
  /[\u00a0-\u00bf\u2013\u2014\u2018-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]/g;

/** Characters of Chinese and Japanese text: kana, ideographs, punctuation, full-width forms. */
const EAST_ASIAN = /[\u3000-\u30ff\u4e00-\u9fff\uff00-\uff9f]/g;

/**
 * Returns the encoding of the text that begins with these bytes, or null if they are not text in one of the encodings.
 * The sample may end inside a character.
 */
export function detectTextEncoding(sample: Uint8Array): TextEncoding | null {
  const marked = readByteOrderMark(sample);
  if (marked !== null) return decodes(sample, marked) ? marked : null;
  if (sample.includes(0)) return null;
  if (decodes(sample, 'utf-8')) return 'utf-8';
  const start = sample.findIndex((byte) => byte >= 0x80);
  return detectLegacyEncoding(sample.subarray(start, start + ENCODING_SAMPLE_BYTES));
}

/**
 * Returns the encoding of text that is neither UTF-8 nor UTF-16.
 * @param sample at most `ENCODING_SAMPLE_BYTES` from the first byte outside ASCII; may end inside a character
 */
export function detectLegacyEncoding(sample: Uint8Array): TextEncoding | null {
  let best: TextEncoding | null = null;
  let bestScore = 0;
  for (const { name, confidence } of analyse(sample)) {
    const encoding = DETECTED[name];
    if (encoding === undefined) continue;
    const text = decode(sample, encoding);
    const score = text === null ? 0 : confidence * plausibility(text, encoding);
    if (score > bestScore) [best, bestScore] = [encoding, score];
  }
  return best;
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
  const declared = html && readByteOrderMark(bytes) === null ? readDeclaredEncoding(bytes) : null;
  for (const encoding of [declared, detectTextEncoding(bytes)]) {
    const text = encoding === null ? null : decode(bytes, encoding, { complete: true });
    if (text !== null && !text.includes('\0')) return text;
  }
  throw new ExtractionError('unsupported_type');
}

/** Returns the encoding that an HTML document names in its first 1,024 bytes. */
function readDeclaredEncoding(bytes: Uint8Array): string | null {
  if (isAscii(bytes)) return null;
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  const label = /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]{1,40})/i.exec(head)?.[1]?.toLowerCase();
  // A document whose first bytes can be read as ASCII is not in UTF-16, whatever it says.
  return label === undefined || label.startsWith('utf-16') ? null : label;
}

/** Returns the text, or null if the bytes are not in the encoding, or the encoding is unknown. */
function decode(bytes: Uint8Array, encoding: string, { complete = false } = {}): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: !complete });
  } catch {
    return null;
  }
}

function decodes(sample: Uint8Array, encoding: TextEncoding): boolean {
  return decode(sample, encoding)?.includes('\0') === false;
}

/** Returns the share of the characters outside ASCII that usual text in the encoding has, 0 to 1. */
function plausibility(text: string, encoding: TextEncoding): number {
  if (CONTROL.test(text)) return 0;
  // eslint-disable-next-line no-control-regex -- the range of ASCII
  const others = text.replace(/[\u0000-\u007f]+/g, '');
  if (others === '') return 0;
  if (encoding !== 'windows-1252') {
    const usual = others.match(EAST_ASIAN)?.length ?? 0;
    return usual / others.length >= 0.8 ? usual / others.length : 0;
  }
  const letters = others.match(WESTERN)?.length ?? 0;
  const signs = others.match(WESTERN_SIGN)?.length ?? 0;
  // Western European text is mostly ASCII; anything else in this encoding is noise that happens to decode.
  if (letters + signs < others.length * 0.9 || others.length > text.length / 2 + 1) return 0;
  return (letters + signs / 2) / others.length;
}
