/**
 * Diacritics and signs that writers leave out. Not all combining marks: Thai vowels are marks too, and so is the mark
 * that turns か into が.
 */
const DIACRITICS =
  /[\u0300-\u036F]|[\u0483-\u0487]|[\u0591-\u05BD]|\u05BF|\u05C1|\u05C2|\u05C4|\u05C5|\u05C7|\u0640|[\u064B-\u065F]|\u0670|[\u1AB0-\u1AFF]|[\u1DC0-\u1DFF]|[\u20D0-\u20FF]|[\uFE20-\uFE2F]/g;

/** Letters that Unicode does not decompose, and their common substitutes. */
const PLAIN_LETTERS: Readonly<Record<string, string>> = {
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  ı: 'i',
  ł: 'l',
  ŋ: 'n',
  ø: 'o',
  ŧ: 't',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
  ة: 'ه',
  ى: 'ي',
};
const SPECIAL_LETTERS = /[đðħıłŋøŧßæœþةى]/g;

/** Returns a lower-case word without its diacritics. */
export function foldDiacritics(word: string): string {
  return word
    .normalize('NFKD')
    .replace(DIACRITICS, '')
    .normalize('NFC')
    .replace(SPECIAL_LETTERS, (letter) => PLAIN_LETTERS[letter] ?? letter);
}
