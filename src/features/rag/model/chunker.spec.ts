import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { ENDLESS_WORK_MS, processorMsSince } from '../../../../test/support/endless-work.js';
import { type ChunkDraft, type ChunkedPart, type ChunkingOptions, chunkPages } from './chunker.js';

const SMALL: ChunkingOptions = { maxTokens: 100, overlapTokens: 0, format: 'markdown' };

async function* partsOf(pages: readonly string[], partLength = 1_000_000): AsyncGenerator<ChunkedPart> {
  for (const [index, text] of pages.entries()) {
    let start = 0;
    do {
      const cut = Math.min(start + partLength, text.length);
      const end = text.slice(start, cut).isWellFormed() ? cut : cut + 1;
      yield await Promise.resolve({
        page: index + 1,
        text: text.slice(start, end),
        isLast: end >= text.length,
      });
      start = end;
    } while (start < text.length);
  }
}

function chunkText(text: string, options: Partial<ChunkingOptions> = {}): Promise<ChunkDraft[]> {
  return Array.fromAsync(chunkPages(partsOf([text]), { ...SMALL, ...options }));
}

function sentences(count: number, first = 1): string {
  return Array.from({ length: count }, (_, index) => `This is sentence number ${first + index}.`).join(' ');
}

/** Returns what is wrong with the chunks of pages: spans, order, missing text, sizes. */
function findFaults(pages: readonly string[], chunks: readonly ChunkDraft[], maxTokens: number): string[] {
  const faults: string[] = [];
  const ends = pages.map(() => 0);
  let page = 1;
  for (const [index, chunk] of chunks.entries()) {
    const text = pages[chunk.page - 1] ?? '';
    const end = ends[chunk.page - 1] ?? 0;
    const fault = (what: string): unknown => faults.push(`chunk ${index} ${what}`);
    if (chunk.ordinal !== index) fault('has another number');
    if (chunk.page < page) fault('is on an earlier page');
    if (text.slice(chunk.start, chunk.end) !== chunk.text) fault('has another text than its span');
    if (chunk.text.trim() === '') fault('is blank');
    if (!chunk.text.isWellFormed() || !chunk.prefix.isWellFormed()) fault('has half a character');
    if (chunk.end <= end) fault('has no new text');
    if (text.slice(end, chunk.start).trim() !== '') fault('leaves text out');
    if (chunk.tokens > maxTokens) fault(`has ${chunk.tokens} tokens`);
    // Joining pieces may change a token at each side of a boundary.
    const exact = encode(chunk.prefix + chunk.text, { disallowedSpecial: new Set() }).length;
    if (exact > maxTokens * 1.05) fault(`has ${exact} tokens by the encoding`);
    ends[chunk.page - 1] = chunk.end;
    page = chunk.page;
  }
  for (const [index, text] of pages.entries())
    if (text.slice(ends[index]).trim() !== '') faults.push(`the end of page ${index + 1} is missing`);
  return faults;
}

describe('the chunks of any text', () => {
  it('have exact spans, all text in its order, and at most the maximum of tokens', async () => {
    const piece = fc.constantFrom(
      ...[
        'Alice met Bob. ',
        'word ',
        'x',
        '\n',
        '\n\n',
        '# Title\n',
        '## Part two\n',
        '| a | b |\n',
        '|---|---|\n',
      ],
      ...[
        '- item\n',
        '```\n',
        'a,b,"c\nd"\n',
        '"',
        ',',
        ' '.repeat(40),
        '\t',
        '中文句子。',
        'ภาษาไทย',
        '한국어 ',
        '😀',
        '👩‍👩‍👧',
      ],
      ...[
        'e\u0301',
        '\u0301',
        'https://example.org/a/b?c=d',
        'A'.repeat(300),
        '0123456789',
        '{"a": [1, 2]}',
        '\u00A0',
        '<|endoftext|>',
      ],
    );
    const text = fc.array(piece, { maxLength: 120 }).map((pieces) => pieces.join('').toWellFormed());
    const maxTokens = fc.constantFrom(100, 150, 400);
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 3 }),
        fc.constantFrom<ChunkingOptions['format']>('text', 'markdown', 'csv', 'html', 'pdf', 'json'),
        maxTokens.chain((max) => fc.tuple(fc.constant(max), fc.integer({ min: 0, max: max / 2 }))),
        fc.integer({ min: 1, max: 500 }),
        async (pages, format, [max, overlapTokens], partLength) => {
          const options = { maxTokens: max, overlapTokens, format };
          const chunks = await Array.fromAsync(chunkPages(partsOf(pages), options));
          expect(findFaults(pages, chunks, max)).toEqual([]);
          const inParts = await Array.fromAsync(chunkPages(partsOf(pages, partLength), options));
          expect(inParts).toEqual(chunks);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('overlap by nearly as many tokens as asked', async () => {
    const text = sentences(400);
    const chunks = await chunkText(text, { maxTokens: 200, overlapTokens: 100 });
    expect(findFaults([text], chunks, 200)).toEqual([]);
    expect(chunks.length).toBeGreaterThan(20);
    for (const [index, chunk] of chunks.slice(1).entries()) {
      const shared = text.slice(chunk.start, chunks[index]?.end);
      expect(shared).toMatch(/^This is .*\.$/s);
      const { length } = encode(shared);
      expect(length).toBeGreaterThan(80);
      expect(length).toBeLessThanOrEqual(100);
    }
  });

  it('overlap from the beginning of a sentence on, also if sentences are split', async () => {
    const text = `This is a ${'very '.repeat(60)}long sentence. `.repeat(40);
    const chunks = await chunkText(text, { maxTokens: 200, overlapTokens: 100 });
    expect(findFaults([text], chunks, 200)).toEqual([]);
    for (const chunk of chunks) expect(chunk.text).toMatch(/^This/);
  });

  it('never begin or end within a grapheme, a word or a sentence that fits', async () => {
    const text = `${sentences(50)} ${'antidisestablishmentarianism '.repeat(200)} ${'👩‍👩‍👧'.repeat(200)}`;
    const chunks = await chunkText(text, { overlapTokens: 40 });
    expect(findFaults([text], chunks, 100)).toEqual([]);
    for (const chunk of chunks) {
      if (chunk.text.includes('👩')) expect(chunk.text).toMatch(/^\P{Cf}.*👧$/su);
      else expect(chunk.text).toMatch(/^(This|anti).*(\.|anism)$/s);
    }
  });
});

describe('the chunks of a structured text', () => {
  it('end before headings and paragraphs, and begin with the headings that they belong to', async () => {
    const text = `# Book\n\n## One\n\n${sentences(10)}\n\n### Detail\n\n${sentences(10, 11)}\n\n## Two\n\n${sentences(5)}`;
    const chunks = await chunkText(text);
    expect(chunks.map(({ text, prefix }) => [text.split('\n')[0], prefix])).toEqual([
      ['# Book', ''],
      ['### Detail', 'Book > One\n'],
      ['## Two', 'Book\n'],
    ]);
  });

  it('end at the last of several equal boundaries', async () => {
    const chunks = await chunkText(
      Array.from({ length: 60 }, (_, index) => sentences(2, index)).join('\n\n'),
    );
    for (const { text, tokens } of chunks.slice(0, -1)) {
      expect(text.split('\n\n').every((paragraph) => paragraph.split('. ').length === 2)).toBe(true);
      expect(tokens).toBeGreaterThan(80);
    }
  });

  it('have room for long headings', async () => {
    const body = `${sentences(8)} One ${'long '.repeat(18)}sentence. `.repeat(8);
    const text = `# ${'头衔'.repeat(95)}\n\n${body}`;
    const chunks = await chunkText(text, { overlapTokens: 50 });
    expect(findFaults([text], chunks, 100)).toEqual([]);
    expect(chunks.at(-1)?.prefix).toMatch(/^头衔/);
  });

  it('have the headings in their prefix also in the middle of a section', async () => {
    const chunks = await chunkText(`# Book\n\n${sentences(40)}`);
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks[0]?.prefix).toBe('');
    expect(chunks.slice(1).every(({ prefix }) => prefix === 'Book\n')).toBe(true);
  });

  it('take no comment in code and no line of a plain text for a heading', async () => {
    const code = `\`\`\`\n# comment\n${'value = 1\n'.repeat(60)}\`\`\``;
    for (const chunk of await chunkText(code)) expect(chunk.prefix).toBe('');
    for (const chunk of await chunkText(`# comment\n${sentences(40)}`, { format: 'text' }))
      expect(chunk.prefix).toBe('');
  });

  it('have the header of a table in their prefix, and its rows whole', async () => {
    const rows = Array.from({ length: 60 }, (_, index) => `| ${index} | value of ${index} |`);
    const text = `Intro.\n\n| key | value |\n|---|---|\n${rows.join('\n')}\n\nThe end.`;
    const chunks = await chunkText(text);
    expect(findFaults([text], chunks, 100)).toEqual([]);
    expect(chunks.length).toBeGreaterThan(3);
    for (const { text: chunk, prefix } of chunks.slice(1)) {
      expect(prefix).toBe('| key | value |\n');
      expect(chunk).toMatch(/^\| .*(\||The end\.)$/s);
    }
  });

  it('are of one page each, and pages without text have none', async () => {
    const pages = ['First page.', ' \n ', 'Third page.'];
    const chunks = await Array.fromAsync(chunkPages(partsOf(pages), SMALL));
    expect(chunks.map(({ page, text }) => [page, text])).toEqual([
      [1, 'First page.'],
      [3, 'Third page.'],
    ]);
  });

  it('do not span a wide blank', async () => {
    const chunks = await chunkText(`Before.${' '.repeat(100_000)}After.`);
    expect(chunks.map(({ text }) => text)).toEqual(['Before.', 'After.']);
  });
});

describe('the chunks of a CSV file', () => {
  const chunkCsv = (text: string, maxTokens = 100): Promise<ChunkDraft[]> =>
    chunkText(text, { format: 'csv', maxTokens, overlapTokens: maxTokens / 2 });

  it('have whole rows, the header and the range of the rows', async () => {
    const rows = Array.from(
      { length: 100 },
      (_, index) => `${index + 1};"name; ""${index + 1}""\nsecond line"`,
    );
    const text = `id;name\n${rows.join('\n')}\n`;
    const chunks = await chunkCsv(text);
    expect(findFaults([text], chunks, 100)).toEqual([]);
    expect(chunks[0]?.text.startsWith('id;name\n1;')).toBe(true);
    expect(chunks[0]?.prefix).toBe('');
    expect(chunks[0]?.rows?.first).toBe(1);
    let next = 1;
    for (const { text: chunk, prefix, rows: range, ordinal } of chunks) {
      expect(range?.first).toBe(next);
      next = (range?.last ?? 0) + 1;
      const own = rows.slice((range?.first ?? 0) - 1, range?.last).join('\n');
      expect(chunk).toBe(ordinal === 0 ? `id;name\n${own}` : own);
      if (ordinal > 0) expect(prefix).toBe('id;name\n');
    }
    expect(next).toBe(101);
  });

  it('split a row that is too long, with the same number', async () => {
    const text = `id,text\n1,${'word '.repeat(300)}\n2,short`;
    const chunks = await chunkCsv(text);
    expect(findFaults([text], chunks, 100)).toEqual([]);
    expect(chunks.slice(1, 3).map(({ rows }) => rows)).toEqual([
      { first: 1, last: 1 },
      { first: 1, last: 1 },
    ]);
    expect(chunks.at(-1)?.rows?.last).toBe(2);
  });

  it('are the same if the file comes character by character', async () => {
    const text = 'id;name\n1;"a\nb"\n2;"c;""\n"\n3;d';
    const options: ChunkingOptions = { ...SMALL, format: 'csv' };
    const chunks = await Array.fromAsync(chunkPages(partsOf([text], 1), options));
    expect(chunks).toEqual(await chunkCsv(text));
    expect(chunks.map(({ rows }) => rows)).toEqual([{ first: 1, last: 3 }]);
  });

  it('cut a header that is too long, and read quotes that are never closed as text', async () => {
    const text = `${'column,'.repeat(200)}\n1,"open\n2,b\n3,c`;
    const chunks = await chunkCsv(text);
    expect(findFaults([text], chunks, 100)).toEqual([]);
    expect(chunks.at(-1)?.prefix).toMatch(/^column,/);
    expect(chunks.at(-1)?.rows?.last).toBe(3);
  });

  it('of 40,000 rows need little memory and time', async () => {
    const rowsInPart = 4_000;
    async function* parts(): AsyncGenerator<ChunkedPart> {
      for (let first = 0; first < 40_000; first += rowsInPart) {
        const rows = Array.from(
          { length: rowsInPart },
          (_, index) => `${first + index},Name ${first + index},City`,
        );
        const text = `${first === 0 ? 'id,name,city\n' : ''}${rows.join('\n')}\n`;
        yield await Promise.resolve({ page: 1, text, isLast: first + rowsInPart === 40_000 });
      }
    }
    const options: ChunkingOptions = { maxTokens: 800, overlapTokens: 400, format: 'csv' };
    const before = process.cpuUsage();
    let held = 0;
    let rows = 0;
    for await (const chunk of chunkPages(parts(), options)) {
      expect(chunk.ordinal === 0 ? chunk.text : chunk.prefix).toMatch(/^id,name,city\n/);
      expect(chunk.rows?.first).toBe(rows + 1);
      rows = chunk.rows?.last ?? 0;
      held = Math.max(held, chunk.text.length);
    }
    expect(rows).toBe(40_000);
    expect(held).toBeLessThan(10_000);
    expect(processorMsSince(before)).toBeLessThan(ENDLESS_WORK_MS);
  });
});

describe('the chunks of a hostile text', () => {
  it.each([
    'x',
    'é',
    '中',
    'ก',
    '\u0301',
    '\u{1D165}',
    '.\u0301',
    '😀',
    '👩‍👩‍👧',
    '# a\n',
    'a | b\n',
    'a\n\n',
    '```\n',
    ' ',
    '"',
    'a,"',
  ])('of 60,000 units of "%s" are right and do not take endless work', async (unit) => {
    const text = `a${unit.repeat(60_000 / unit.length)}a`.toWellFormed();
    const before = process.cpuUsage();
    for (const format of ['markdown', 'csv'] as const) {
      const chunks = await chunkText(text, { format, maxTokens: 800, overlapTokens: 400 });
      expect(
        findFaults([text], chunks.slice(0, 20), 800).filter((fault) => !fault.startsWith('the end')),
      ).toEqual([]);
      expect(text.slice(chunks.at(-1)?.end).trim()).toBe('');
      if (unit.length > 1) expect(chunks.filter((chunk) => chunk.text.startsWith('\u0301'))).toEqual([]);
    }
    expect(processorMsSince(before)).toBeLessThan(ENDLESS_WORK_MS);
  });
});
