/*
 * The Snowball English stemmer ("Porter2"): https://snowballstem.org/algorithms/english/stemmer.html
 * The names of the steps are those of its description.
 */

/** Words whose stem the rules would get wrong; a word with itself as stem is not changed. */
const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  ['skis', 'ski'],
  ['skies', 'sky'],
  ['dying', 'die'],
  ['lying', 'lie'],
  ['tying', 'tie'],
  ['idly', 'idl'],
  ['gently', 'gentl'],
  ['ugly', 'ugli'],
  ['early', 'earli'],
  ['only', 'onli'],
  ['singly', 'singl'],
  ...['sky', 'news', 'howe', 'atlas', 'cosmos', 'bias', 'andes'].map((word) => [word, word] as const),
]);

/** Words that do not change after their plural ending is removed. */
const AFTER_PLURAL = new Set([
  'inning',
  'outing',
  'canning',
  'herring',
  'earring',
  'proceed',
  'exceed',
  'succeed',
]);

const VOWELS = 'aeiouy';

/** Letters after which the ending `li` is removed. */
const LI_ENDINGS = 'cdeghkmnrt';

const REGION_PREFIX = /^(?:gener|commun|arsen)/;
const REGION = /[aeiouy][^aeiouy]/;
const SHORT_SYLLABLE = /(?:^[aeiouy][^aeiouy]|[^aeiouy][aeiouy][^aeiouywxY])$/;

/** Endings from the longest to the shortest, each with what replaces it. */
const STEP_2: readonly (readonly [string, string])[] = [
  ['ization', 'ize'],
  ['ational', 'ate'],
  ['fulness', 'ful'],
  ['ousness', 'ous'],
  ['iveness', 'ive'],
  ['tional', 'tion'],
  ['biliti', 'ble'],
  ['lessli', 'less'],
  ['entli', 'ent'],
  ['ation', 'ate'],
  ['alism', 'al'],
  ['aliti', 'al'],
  ['ousli', 'ous'],
  ['iviti', 'ive'],
  ['fulli', 'ful'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['abli', 'able'],
  ['izer', 'ize'],
  ['ator', 'ate'],
  ['alli', 'al'],
  ['bli', 'ble'],
  ['ogi', 'og'],
  ['li', ''],
];
const STEP_3: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['alize', 'al'],
  ['icate', 'ic'],
  ['iciti', 'ic'],
  ['ative', ''],
  ['ical', 'ic'],
  ['ness', ''],
  ['ful', ''],
];
const STEP_4 = /(?:ement|ance|ence|able|ible|ment|ant|ent|ism|ate|iti|ous|ive|ize|ion|al|er|ic)$/;

/** Returns the stem of an English word of lower-case ASCII letters and apostrophes. */
export function stemEnglish(word: string): string {
  if (word.length < 3) return word;
  const exception = EXCEPTIONS.get(word);
  if (exception !== undefined) return exception;
  const marked = markConsonants(word.startsWith("'") ? word.slice(1) : word);
  const [r1, r2] = findRegions(marked);
  const singular = removePlural(marked.replace(/'(?:s'?)?$/, ''));
  if (AFTER_PLURAL.has(singular)) return singular;
  let stem = replaceFinalY(removePast(singular, r1));
  stem = applyStep2(stem, r1);
  stem = applyStep3(stem, r1, r2);
  stem = applyStep4(stem, r2);
  return applyStep5(stem, r1, r2).replaceAll('Y', 'y');
}

/** Writes each `y` that is a consonant as `Y`. */
function markConsonants(word: string): string {
  if (!word.includes('y')) return word;
  let marked = '';
  for (const [index, letter] of Array.from(word).entries()) {
    const isConsonant = letter === 'y' && (index === 0 || VOWELS.includes(marked.at(-1) ?? ''));
    marked += isConsonant ? 'Y' : letter;
  }
  return marked;
}

/** Returns where R1 and R2 begin: after the first consonant that follows a vowel, and the same within R1. */
function findRegions(word: string): [number, number] {
  const prefix = REGION_PREFIX.exec(word)?.[0];
  const r1 = prefix?.length ?? regionAfter(word, 0);
  return [r1, regionAfter(word, r1)];
}

function regionAfter(word: string, from: number): number {
  const found = word.slice(from).search(REGION);
  return found < 0 ? word.length : from + found + 2;
}

function hasVowel(text: string): boolean {
  return /[aeiouy]/.test(text);
}

/** Step 1a. */
function removePlural(word: string): string {
  if (word.endsWith('sses')) return word.slice(0, -2);
  if (word.endsWith('ied') || word.endsWith('ies')) return word.slice(0, word.length > 4 ? -2 : -1);
  if (!word.endsWith('s') || word.endsWith('us') || word.endsWith('ss')) return word;
  return hasVowel(word.slice(0, -2)) ? word.slice(0, -1) : word;
}

/** Step 1b. */
function removePast(word: string, r1: number): string {
  const ending = /(?:eedly|ingly|edly|eed|ing|ed)$/.exec(word)?.[0];
  if (ending === undefined) return word;
  const start = word.length - ending.length;
  const stem = word.slice(0, start);
  if (ending.startsWith('ee')) return start >= r1 ? `${stem}ee` : word;
  if (!hasVowel(stem)) return word;
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`;
  if (/(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)$/.test(stem)) return stem.slice(0, -1);
  const isShort = stem.length <= r1 && SHORT_SYLLABLE.test(stem);
  return isShort ? `${stem}e` : stem;
}

/** Step 1c. */
function replaceFinalY(word: string): string {
  return /.[^aeiouy][yY]$/.test(word) ? `${word.slice(0, -1)}i` : word;
}

function applyStep2(word: string, r1: number): string {
  const found = STEP_2.find(([ending]) => word.endsWith(ending));
  if (found === undefined) return word;
  const [ending, replacement] = found;
  const start = word.length - ending.length;
  if (start < r1) return word;
  const before = word.charAt(start - 1);
  if (ending === 'ogi' && before !== 'l') return word;
  if (ending === 'li' && !LI_ENDINGS.includes(before)) return word;
  return word.slice(0, start) + replacement;
}

function applyStep3(word: string, r1: number, r2: number): string {
  const found = STEP_3.find(([ending]) => word.endsWith(ending));
  if (found === undefined) return word;
  const [ending, replacement] = found;
  const start = word.length - ending.length;
  if (start < (ending === 'ative' ? r2 : r1)) return word;
  return word.slice(0, start) + replacement;
}

function applyStep4(word: string, r2: number): string {
  const ending = STEP_4.exec(word)?.[0];
  if (ending === undefined) return word;
  const start = word.length - ending.length;
  if (start < r2) return word;
  if (ending === 'ion' && !/[st]$/.test(word.slice(0, start))) return word;
  return word.slice(0, start);
}

function applyStep5(word: string, r1: number, r2: number): string {
  const start = word.length - 1;
  const stem = word.slice(0, start);
  if (word.endsWith('l')) return start >= r2 && stem.endsWith('l') ? stem : word;
  if (!word.endsWith('e')) return word;
  const isRemoved = start >= r2 || (start >= r1 && !SHORT_SYLLABLE.test(stem));
  return isRemoved ? stem : word;
}
