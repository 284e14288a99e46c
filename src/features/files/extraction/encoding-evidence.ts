/** Control characters that no text contains; the last range has those that windows-1252 leaves undefined. */
// eslint-disable-next-line no-control-regex -- that is what they are
const CONTROL = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\u007f-\u009f]/;

/** A character of Western European languages outside ASCII. */
const WESTERN = /[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e]/g;

/** Punctuation and signs of windows-1252 that stand in ordinary text. */
const WESTERN_SIGN =
  /[\u00a0-\u00bf\u2013\u2014\u2018-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]/g;

/**
 * Parts that no Western European word has: a sign between small letters, a rare capital or sign after one, several
 * letters outside ASCII in a row. Other encodings have their letters there, also those of old Macintosh computers.
 */
const MISPLACED = new RegExp(
  [
    '(?<=[A-Za-z])[\\u00a1-\\u00ac\\u00ae-\\u00b6\\u00b8-\\u00bf\\u02c6\\u2013\\u201a-\\u201e\\u2026\\u2039\\u20ac](?=[a-z])',
    '(?<=[a-z])[\\u0152\\u0160\\u0178\\u017d\\u0192\\u2020-\\u2022\\u2030]',
    '[\\u00a2\\u00a4-\\u00a6\\u00a8\\u00ac\\u00ae\\u00af\\u00b3\\u00b4\\u00b8\\u00b9\\u20ac\\u2122](?=[A-Za-z])',
    '[\\u00c0-\\u00ff]{3,}',
  ].join('|'),
  'g',
);

/** Letters of Icelandic where windows-1254 has those of Turkish, and others have letters of their languages, too. */
const ICELANDIC = /[ÐÝÞðþ]/g;

/** Other letters of Icelandic, without which there are none of those. */
const BESIDE_ICELANDIC = /[áíúæ]/gi;

/**
 * Letters that windows-1250, -1252, -1254, -1257 and -1258 have in common, beside a letter of ASCII; "ñ" between vowels,
 * where no language has the "ń" of windows-1250; and "å" at the end of a word, where none has its "ĺ".
 */
const SHARED_LETTERS =
  /(?<=[a-z])[ÄÉÓÖÜßäéóöü]{1,2}|[ÄÉÓÖÜßäéóöü]{1,2}(?=[a-z])|(?<=[aeiou])ñ(?=[aeiou])|(?<=[a-z])å(?![a-z\u0080-\uffff])/gi;

/** Signs that the same encodings have in common. */
const SHARED_SIGNS = /[\u00a7\u00b0\u2013\u2014\u2018\u2019\u201c-\u201e\u2026\u20ac]/g;

/** Characters of Chinese and Japanese text: kana, ideographs, punctuation, full-width forms. */
const JAPANESE = /[\u3000-\u30ff\u4e00-\u9fff\uff00-\uff9f]/g;

/** Those of Chinese text. GBK has kana, too, at the places where EUC-JP has them. */
const CHINESE = /[\u3000-\u303f\u4e00-\u9fff\uff00-\uff65]/g;

/** Minimum number of kana in a short text. */
const MIN_KANA = 3;

/** Reports whether a text has control characters, which none does that was decoded correctly. */
export function hasControls(text: string): boolean {
  return CONTROL.test(text);
}

/** Reports whether a text that was decoded from one of these encodings has the characters that are usual in it. */
export function isPlausible(text: string, encoding: 'windows-1252' | 'shift_jis' | 'gb18030'): boolean {
  if (hasControls(text)) return false;
  const others = withoutAscii(text);
  if (others === '') return false;
  if (encoding !== 'windows-1252')
    return count(others, encoding === 'gb18030' ? CHINESE : JAPANESE) >= others.length * 0.8;
  // Western European text is mostly ASCII; anything else in this encoding is noise that happens to decode.
  return (
    count(others, WESTERN) + count(others, WESTERN_SIGN) >= others.length * 0.9 &&
    others.length <= text.length / 2 + 1 &&
    count(text, MISPLACED) <= others.length / 10 &&
    count(text, ICELANDIC) <= count(text, BESIDE_ICELANDIC)
  );
}

/**
 * Reports whether a text in windows-1252 reads the same in all encodings of languages with Latin letters, as "Köln"
 * does: a few letters in words of ASCII. Statistics need more text than that.
 * @param text plausible in windows-1252
 */
export function isSharedLatin(text: string): boolean {
  const signs = count(text, SHARED_SIGNS);
  const letters = count(text, /[a-z]/gi);
  const rest = withoutAscii(text.replaceAll(SHARED_LETTERS, '').replaceAll(SHARED_SIGNS, ''));
  return rest === '' && withoutAscii(text).length <= letters && signs * 3 <= letters;
}

/**
 * Reports whether bytes can only be Shift-JIS: kana among frequent characters, that is the first level of JIS X 0208,
 * and no half-width kana, as which nearly all text in other encodings can be read.
 */
export function hasShiftJisKana(bytes: Uint8Array): boolean {
  let kana = 0;
  let characters = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    const lead = bytes[index] ?? 0;
    if (lead < 0x80) continue;
    index += 1;
    characters += 1;
    const trail = bytes[index] ?? 0;
    if ((lead === 0x82 && trail >= 0x9f) || (lead === 0x83 && trail <= 0x96)) kana += 1;
    else if (lead < 0x81 || lead > 0x98 || (lead > 0x83 && lead < 0x88)) return false;
  }
  return kana >= MIN_KANA && kana * 4 >= characters;
}

function withoutAscii(text: string): string {
  // eslint-disable-next-line no-control-regex -- the range of ASCII
  return text.replace(/[\u0000-\u007f]+/g, '');
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
