import { describe, expect, it } from '@jest/globals';
import { countTokens } from '../../../llm/index.js';
import { fitDocument } from './document-text.js';

const words = (count: number): string => 'apple '.repeat(count).trim();

/** A document with these pages, and possibly more, which are never read. */
function documentOf(texts: readonly string[], pageCount = texts.length) {
  return {
    pageCount,
    async *readParts() {
      for (const [index, text] of texts.entries())
        yield await Promise.resolve({ page: index + 1, text, isLast: true });
      if (texts.length < pageCount) throw new Error('Read further than necessary.');
    },
  };
}

describe('the text of a document for a model', () => {
  it('has all pages in order, each after its number, if everything fits', async () => {
    const document = documentOf(['One.', 'Two.', 'Three.']);
    const { text, tokens, omittedPages } = await fitDocument('a.pdf', document, 1_000);
    expect(text).toBe('File: a.pdf\n\n[Page 1]\nOne.\n\n[Page 2]\nTwo.\n\n[Page 3]\nThree.\n\n');
    expect(omittedPages).toEqual([]);
    expect(tokens).toBe(countTokens(text));
  });

  it('has no page numbers if the format has no pages', async () => {
    const { text } = await fitDocument('a.csv', documentOf(['a,b']), 1_000);
    expect(text).toBe('File: a.csv\n\na,b\n\n');
  });

  it('has only the first pages that fit, and says which are left out', async () => {
    const document = documentOf([words(100), words(100), words(100)], 7);
    const { text, tokens, omittedPages } = await fitDocument('a.pdf', document, 300);
    expect(omittedPages).toEqual([3, 4, 5, 6, 7]);
    expect(text).toContain('[Page 2]');
    expect(text).not.toContain('[Page 3]');
    expect(text).toContain('[Of 7 pages, those from page 3 on are left out because they are too long.]');
    expect(tokens).toBeLessThanOrEqual(300);
    expect(countTokens(text)).toBeLessThanOrEqual(300);
  });

  it('has the beginning of the first page if not even that page fits, without splitting a character', async () => {
    const page = '🐢'.repeat(30_000);
    const { text, tokens, omittedPages } = await fitDocument('long.txt', documentOf([page]), 20_000);
    expect(omittedPages).toEqual([1]);
    expect(text.isWellFormed()).toBe(true);
    expect(text.length).toBeGreaterThan(8_000);
    expect(text).toContain('[The rest of this file is left out because it is too long.]');
    expect(tokens).toBeLessThanOrEqual(20_000);
  });

  it('has the beginning of a page that is too long to be read', async () => {
    const part = { page: 1, text: 'x '.repeat(20_000), isLast: false };
    const document = {
      pageCount: 2,
      async *readParts() {
        for (let parts = 0; parts < 10; parts += 1) yield await Promise.resolve(part);
        throw new Error('Read further than necessary.');
      },
    };
    const { omittedPages, tokens } = await fitDocument('a.pdf', document, 1_000);
    expect(omittedPages).toEqual([1, 2]);
    expect(tokens).toBeGreaterThan(700);
  });

  it('never exceeds its tokens, whatever the script', async () => {
    for (const [name, sentence] of [
      ['zh', '今天天气很好，我们去公园散步。'],
      ['th', 'วันนี้อากาศดีมาก เราไปเดินเล่นในสวน '],
      ['json', '{"a":[1,2,3],"b":null}\n'],
    ] as const) {
      const document = documentOf(Array.from({ length: 50 }, () => sentence.repeat(40)));
      const { text, omittedPages } = await fitDocument(name, document, 5_000);
      expect([name, omittedPages.length > 0, countTokens(text) <= 5_000]).toEqual([name, true, true]);
    }
  });
});
