import { describe, expect, it } from '@jest/globals';
import { SearchHighlighter } from './search-highlighter.js';

/** Returns the snippet of a text, with each highlight in brackets. */
function shown(searched: string, text: string): string {
  const { text: snippet, highlights } = new SearchHighlighter(searched).snippet(text);
  return highlights.reduceRight(
    (marked, { start, end }) => `${marked.slice(0, start)}[${marked.slice(start, end)}]${marked.slice(end)}`,
    snippet,
  );
}

const words = (count: number, word = 'word'): string => Array.from({ length: count }, () => word).join(' ');

describe('Highlighter', () => {
  it.each([
    ['whole words, in any case', 'blue sky', 'The Sky is BLUE.', 'The [Sky] is [BLUE].'],
    ['the beginning of the last word', 'the bl', 'The blue', '[The] [blue]'],
    ['no beginning of another word', 'bl sky', 'blue sky', 'blue [sky]'],
    ['letters regardless of diacritics', 'zurich', 'Zürich', '[Zürich]'],
    ['letters that Unicode does not decompose', 'lodz', 'Łódź', '[Łódź]'],
    ['letters with a compatibility form', 'Ⅳ', 'iv', '[iv]'],
    ['consecutive characters', '東京', '私は東京に', '私は[東京]に'],
    ['no characters that are apart', '東京', '東の京', '東の京'],
    ['characters after a word', 'go東京', 'go東京', '[go][東京]'],
    ['overlapping hits as one', 'ああ', 'あああ', '[あああ]'],
    ['nothing for a search without a word', '!?', 'Hello!?', 'Hello!?'],
    ['nothing for marks alone', '\u0301', 'a', 'a'],
    ['long words by their first characters only', 'x'.repeat(80), 'x'.repeat(90), `[${'x'.repeat(90)}]`],
  ])('highlights %s', (_what, searched, text, expected) => {
    expect(shown(searched, text)).toBe(expected);
  });
});

describe('a snippet of a long text', () => {
  it('begins a few words before the first hit and ends with a whole word', () => {
    const snippet = shown('needle', `${words(100)} needle ${words(100)}`);
    expect(snippet).toMatch(/^…(word ){8}\[needle\] (word )+word…$/);
    expect(snippet.length).toBeLessThan(170);
  });

  it('is the beginning of the text if there is no hit', () => {
    expect(shown('needle', words(100))).toMatch(/^word (word )+word…$/);
  });

  it('extends to the end of the text if the hit is there', () => {
    expect(shown('needle', `${words(100)} needle`)).toMatch(/^…(word )+\[needle\]$/);
  });

  it('cuts a word that is too long, but never splits a character', () => {
    const { text, highlights } = new SearchHighlighter('needle').snippet('😀'.repeat(200));
    expect([text.isWellFormed(), highlights]).toEqual([true, []]);
    expect(new SearchHighlighter('needle').snippet(`!${'😀'.repeat(200)}`).text.isWellFormed()).toBe(true);
    expect(shown('needle', `needle${'x'.repeat(300)}`)).toMatch(/^needlex+…$/);
  });

  it('shows a hit in the middle of a text without spaces', () => {
    expect(shown('東京', `${'あ'.repeat(300)}東京${'い'.repeat(300)}`)).toMatch(/^…あ{40}\[東京\]い+…$/);
  });
});
