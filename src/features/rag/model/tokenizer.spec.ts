import { describe, expect, it } from '@jest/globals';
import { ENDLESS_WORK_MS, processorMsSince } from '../../../../test/support/endless-work.js';
import { hashTerm, queryTerms, termFrequencies } from './tokenizer.js';

function termsOf(text: string): string[] {
  return Array.from(termFrequencies(text).frequencies.keys());
}

/** Returns the highest weight with which a question finds a text; 0 if it does not. */
function weightOf(question: string, text: string): number {
  const { frequencies } = termFrequencies(text);
  return Math.max(0, ...queryTerms(question).map(({ term, weight }) => (frequencies.has(term) ? weight : 0)));
}

/** Returns the words of a text that do not find it when each is the whole question. */
function lostWords(text: string): string[] {
  const words = Array.from(new Intl.Segmenter('en', { granularity: 'word' }).segment(text))
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment }) => segment);
  expect(words.length).toBeGreaterThan(3);
  return words.filter((word) => weightOf(word, text) === 0);
}

describe('the terms of a text', () => {
  it('are the stems of English words, with their frequencies and the number of words', () => {
    const { frequencies, length } = termFrequencies('The cats chase a cat; chasing cats.');
    expect(Object.fromEntries(frequencies)).toEqual({ the: 1, cat: 3, chase: 2, a: 1 });
    expect(length).toBe(7);
  });

  it.each([
    ['NFC and NFD', 'café', 'cafe\u0301'],
    ['full-width and ASCII', 'ABC-123', 'ＡＢＣ－１２３'],
    ['ligatures and letters', 'office', 'o\uFB03ce'],
    ['upper and lower case', 'ΟΔΟΣ', 'οδος'],
    ['a soft hyphen and none', 'retrieval', 're\u00ADtrie\u00ADval'],
    ['half-width and full-width katakana', 'データ', 'ﾃﾞｰﾀ'],
  ])('are the same in %s', (_name, one, other) => {
    expect(termsOf(one)).toEqual(termsOf(other));
  });

  it('have identifiers, addresses and numbers as a whole and in their parts', () => {
    expect(termsOf('ABC-123.4')).toEqual(['abc-123.4', 'abc', '123', '4']);
    expect(termsOf('foo_bar')).toEqual(['foo_bar', 'foo', 'bar']);
    expect(termsOf('the getUserName')).toEqual(['the', 'getusernam', 'get', 'user', 'name']);
    expect(termsOf('john.doe@example.org')).toEqual(
      expect.arrayContaining(['john.doe@example.org', 'john.doe', 'example.org', 'doe']),
    );
    expect(termsOf('1,234.5')).toEqual(['1,234.5', '1234.5']);
    expect(termsOf('10km and covid19')).toEqual([
      '10km',
      '10',
      'km',
      'and',
      'covid19',
      'covid',
      '19',
      '^covid',
    ]);
    expect(termsOf('C++ and C#')).toEqual(['c++', 'and', 'c#']);
  });

  it('have vowels of Thai and Lao as their dictionaries know them', () => {
    expect(termsOf('ดื่มน้ำสะอาด')).toContain('น้ำ');
    expect(termsOf('ນ້ຳ')).toEqual(['ນ້ຳ']);
  });

  it('have compounds and words divided at the end of a line also as one word', () => {
    expect(termsOf('e-mail')).toContain('email');
    expect(termsOf('retrie-\nval')).toContain(termsOf('retrieval')[0]);
    expect(termsOf('O’Brien')).toEqual(expect.arrayContaining(["o'brien", 'obrien', 'brien']));
    expect(termsOf("the Biden's")).toEqual(['the', 'biden']);
  });

  it('are at most 64 units long, without a mark, and well-formed', () => {
    const terms = termsOf(
      `${'x'.repeat(63)}😀 ${'ё'.repeat(200)} ${'a-'.repeat(100)} ${'𠮷'.repeat(100)} x${'𐐨'.repeat(100)}`,
    );
    expect(Math.max(...terms.map((term) => term.length))).toBeLessThanOrEqual(65);
    expect(terms.every((term) => term.isWellFormed())).toBe(true);
  });

  it.each(['a', 'a.', 'aB', 'a-\n', '1,', "l'", 'é', '\u0301', '中', 'ก', '가', 'ア', 'ក្', '😀', ' '])(
    'of a line of 100,000 units of "%s" do not take endless work',
    (unit) => {
      const before = process.cpuUsage();
      termFrequencies(`a${unit.repeat(100_000 / unit.length)}`);
      expect(processorMsSince(before)).toBeLessThan(ENDLESS_WORK_MS);
    },
  );
});

describe('the terms of a question', () => {
  it('leave out English stop words, unless nothing else is left', () => {
    const words = (question: string): string[] =>
      queryTerms(question)
        .filter(({ weight }) => weight === 1)
        .map(({ term }) => term);
    expect(words('What is the height of the tower?')).toEqual(['height', 'tower']);
    expect(words('To be or not to be')).toEqual(['to', 'be', 'or', 'not']);
    expect(words('Who leads the WHO in the US?')).toEqual(['lead', 'who', 'us']);
  });

  it('find words with diacritics and without, the exact form with more weight', () => {
    expect(weightOf('đường', 'con đường dài')).toBe(1);
    expect(weightOf('duong', 'ban duong ca')).toBe(1);
    for (const [question, text] of [
      ['duong', 'con đường dài'],
      ['đường', 'ban duong ca'],
      ['đường', 'con dương dài'],
      ['Lodz', 'in Łódź'],
      ['Strasse', 'die Straße'],
      ['cafes', 'two cafés'],
    ] as const) {
      expect(weightOf(question, text)).toBeGreaterThan(0);
      expect(weightOf(question, text)).toBeLessThan(0.5);
    }
  });

  it('share a position if they are forms of one word', () => {
    const terms = queryTerms('đường ABC-1');
    expect(terms.filter(({ word }) => word === 0).map(({ term }) => term)).toEqual([
      'đường',
      'duong',
      '~duong',
      '^duong',
    ]);
    expect(terms.filter(({ word }) => word === 1).map(({ term }) => term)).toEqual(['abc-1']);
    expect(new Set(terms.map(({ term }) => term)).size).toBe(terms.length);
  });

  it('find an identifier as a whole with more weight than its parts', () => {
    expect(weightOf('ABC-123.4', 'see ABC-123.4 there')).toBe(1);
    expect(weightOf('ABC-123.4', 'see ABC-123.5 there')).toBeLessThan(1);
    expect(weightOf('123', 'see ABC-123.4 there')).toBe(1);
  });

  it.each([
    ['столица', 'Он живёт в столице России'],
    ['πρωτεύουσα', 'η οικονομία της πρωτεύουσας'],
    ['قاهرة', 'السفر إلى القاهرة بالقطار'],
    ['Häuser', 'die alten Häusern am Fluss'],
    ['kitaplar', 'kitaplarını okudu'],
  ])('find another form of the word "%s", with less weight', (question, text) => {
    expect(weightOf(question, text)).toBeGreaterThan(0);
    expect(weightOf(question, text)).toBeLessThan(0.5);
    // English has its stems, and its index stays small.
    expect(termsOf(`the ${text}`).some((term) => term.startsWith('^'))).toBe(false);
  });

  it('find a Korean noun with another particle', () => {
    expect(weightOf('서울', '나는 서울에서 살았다')).toBeGreaterThan(0);
    expect(weightOf('책은', '책을 읽었다')).toBe(1);
    expect(weightOf('대한민국의', '대한민국은 아름답다')).toBe(1);
  });

  it('find Han words that a dictionary divides otherwise', () => {
    expect(weightOf('茶', '我们喝茶吧')).toBeGreaterThan(0);
    expect(weightOf('共和', '中华人民共和国')).toBeGreaterThan(0);
    expect(weightOf('京都', '東京都庁')).toBeGreaterThan(0);
  });

  it.each([
    ['Chinese', '北京大学的研究人员发现，气候变化正在影响农业生产和水资源。'],
    ['Japanese', '東京は日本の首都であり、世界最大の都市の一つです。データベースを検索する。'],
    ['Korean', '서울은 대한민국의 수도이며 한강이 도시를 가로질러 흐른다.'],
    ['Thai', 'กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทยและเป็นศูนย์กลางทางเศรษฐกิจ'],
    ['Lao', 'ນະຄອນຫຼວງວຽງຈັນເປັນເມືອງຫຼວງຂອງປະເທດລາວ'],
    ['Khmer', 'ភ្នំពេញគឺជារាជធានីនៃព្រះរាជាណាចក្រកម្ពុជា'],
    ['Burmese', 'ရန်ကုန်မြို့သည် မြန်မာနိုင်ငံ၏ စီးပွားရေးမြို့တော်ဖြစ်သည်'],
    ['Vietnamese', 'Hà Nội là thủ đô của nước Việt Nam, nằm bên bờ sông Hồng.'],
    ['Russian', 'Москва является столицей России и крупнейшим её городом.'],
    ['Arabic', 'القاهرة هي عاصمة جمهورية مصر العربية وأكبر مدنها'],
    ['Hindi', 'नई दिल्ली भारत की राजधानी है और यमुना नदी के किनारे बसी है'],
  ])('are found by each word of a %s text', (_language, text) => {
    expect(lostWords(text)).toEqual([]);
  });

  it('are of the first 128 words', () => {
    const question = Array.from({ length: 500 }, (_, index) => `word${index}`).join(' ');
    expect(new Set(queryTerms(question).map(({ word }) => word)).size).toBe(128);
    expect(queryTerms('')).toEqual([]);
    expect(queryTerms('?! …')).toEqual([]);
  });
});

describe('the hash of a term', () => {
  it('is an int32 that differs between terms and between indexes', () => {
    const terms = Array.from({ length: 20_000 }, (_, index) => `term${index}`);
    const hashes = terms.map((term) => hashTerm('one', term));
    expect(hashes.every((hash) => hash === (hash | 0))).toBe(true);
    expect(new Set(hashes).size).toBeGreaterThan(19_995);
    expect(hashes.filter((hash, index) => hash === hashTerm('other', terms[index] ?? ''))).toEqual([]);
  });

  it('never changes, because it is stored', () => {
    expect(hashTerm('0197f0de-0000-7000-8000-000000000000', 'đường')).toBe(-2_113_822_615);
  });
});
