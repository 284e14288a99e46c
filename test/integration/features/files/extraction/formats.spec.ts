// Real child processes, documents made here, and the real ones of the folder that DOCUMENT_SAMPLES names.
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { Document, HeadingLevel, Packer, Paragraph, Table, TableCell, TableRow } from 'docx';
import { DOCUMENT_SAMPLES, itWithSamples, readSample } from '../../../../support/document-samples.js';
import {
  deflatedEntry,
  DOCX_SHELL,
  docxBody,
  extractFrom,
  makeExtractor,
  makeZip,
  textsOf,
} from '../../../../support/documents.js';
import { FONTS, makePdf } from '../../../../support/pdf.js';
import { makePredefinedMapPdf, type PredefinedMap } from '../../../../support/predefined-map-pdf.js';

jest.setTimeout(120_000);

const VIETNAMESE = 'Bầu trời có màu xanh vì ánh sáng có bước sóng ngắn bị tán xạ nhiều hơn. '
  .repeat(4)
  .trim();
const CHINESE = '天空之所以是蓝色的，是因为短波长的光被大气散射得更多。'.repeat(6);
const THAI = 'ท้องฟ้าเป็นสีฟ้าเพราะแสงที่มีความยาวคลื่นสั้นกระเจิงมากกว่า';

describe('text of documents', () => {
  const extractor = makeExtractor();
  afterAll(() => extractor.beforeApplicationShutdown());

  it.each([
    ['Vietnamese', FONTS.vietnamese, VIETNAMESE],
    ['Chinese', FONTS.chinese, CHINESE],
    ['Thai', FONTS.thai, THAI],
  ])('each page of a PDF in %s has its paragraph, joined over its lines', async (_, font, text) => {
    const result = await extractFrom(
      extractor,
      'pdf',
      await makePdf([text, text.slice(0, 20), text], { font }),
    );
    const plain = (each: string): string => each.normalize('NFKC').replace(/\s+$/, '');
    expect(result.status === 'ready' && result.pages.map((page) => plain(page.text))).toEqual(
      [text, text.slice(0, 20), text].map(plain),
    );
  });

  it.each<[expected: string, PredefinedMap]>([
    ['你好世界', { map: 'UniGB-UCS2-H', ordering: 'GB1', text: '4f60597d4e16754c' }],
    ['你好', { map: 'GBK-EUC-H', ordering: 'GB1', text: 'c4e3bac3' }],
    ['中文', { map: 'ETen-B5-H', ordering: 'CNS1', text: 'a4a4a4e5' }],
    ['日本', { map: '90ms-RKSJ-H', ordering: 'Japan1', text: '93fa967b' }],
    ['한국어', { map: 'UniKS-UCS2-H', ordering: 'Korea1', text: 'd55cad6dc5b4' }],
  ])('%s is read from a PDF that names a predefined character map', async (expected, map) => {
    expect(textsOf(await extractFrom(extractor, 'pdf', makePredefinedMapPdf(map)))).toEqual([expected]);
  });

  it('a page without text is a warning, and a PDF of such pages has no text layer', async () => {
    expect(await extractFrom(extractor, 'pdf', await makePdf(['One', '', 'Three']))).toMatchObject({
      status: 'ready',
      pages: [{ page: 1, text: 'One' }, { page: 2, text: '' }, { page: 3 }],
      warnings: [{ code: 'no_text_layer', pages: [2] }],
    });
    expect(textsOf(await extractFrom(extractor, 'pdf', await makePdf(['', ''])))).toBe('no_text_layer');
  });

  it('headings and tables of a DOCX stay', async () => {
    const row = (...cells: string[]) =>
      new TableRow({ children: cells.map((text) => new TableCell({ children: [new Paragraph(text)] })) });
    const document = new Document({
      sections: [
        {
          children: [
            new Paragraph({ text: 'Report', heading: HeadingLevel.HEADING_1 }),
            new Paragraph('Bầu trời'),
            new Table({ rows: [row('Year', 'Sum'), row('2026', '7')] }),
          ],
        },
      ],
    });
    expect(textsOf(await extractFrom(extractor, 'docx', await Packer.toBuffer(document)))).toEqual([
      '# Report\n\nBầu trời\n\nYear | Sum\n2026 | 7',
    ]);
  });

  it('a DOCX of 20,000 paragraphs needs less memory than the limit', async () => {
    const paragraph = '<w:p><w:r><w:t>A paragraph has some words more than a heading.</w:t></w:r></w:p>';
    const body = docxBody('').replace(/<w:p>.*<\/w:p>/, paragraph.repeat(20_000));
    const bytes = makeZip([...DOCX_SHELL, deflatedEntry('word/document.xml', body)]);
    const texts = textsOf(await extractFrom(extractor, 'docx', bytes));
    expect(Array.isArray(texts) ? String(texts[0]).slice(0, 11) : texts).toBe('A paragraph');
  });

  it('HTML loses its scripts and styles, and keeps its encoding', async () => {
    const html =
      '<meta charset="windows-1252"><style>p{}</style><script>alert(1)</script><h2>Caf\xe9</h2><p>One <a href="/x">link</a></p>';
    expect(textsOf(await extractFrom(extractor, 'html', Buffer.from(html, 'latin1')))).toEqual([
      '## Café\n\nOne link',
    ]);
  });

  it.each<[string, Uint8Array, string]>([
    ['UTF-8 with CRLF, NUL-free, in NFC', Buffer.from('e\u0301\r\nb'), 'é\nb'],
    ['UTF-8 with a byte order mark', Buffer.from('\uFEFFHello'), 'Hello'],
    ['UTF-16LE', Buffer.from('\uFEFFTrời xanh', 'utf16le'), 'Trời xanh'],
    ['UTF-16BE', Buffer.from('\uFEFFTrời', 'utf16le').swap16(), 'Trời'],
    [
      'windows-1252',
      Buffer.from('Un caf\xe9 cr\xe8me, s\x92il vous pla\xeet.', 'latin1'),
      'Un café crème, s’il vous plaît.',
    ],
    ['Shift-JIS', Buffer.from('93fa967b8cea82cc95b68f9182c582b78142', 'hex'), '日本語の文書です。'],
    [
      'GBK',
      Buffer.from('ccecbfd5cac7c0b6c9abb5c4a3acd2f2cefacbb5b5c4b9e2b1bbc9a2c9e4a1a3', 'hex'),
      '天空是蓝色的',
    ],
  ])('text in %s is decoded', async (_, bytes, expected) => {
    const result = textsOf(await extractFrom(extractor, 'text', bytes));
    expect(result).toEqual([expect.stringContaining(expected)]);
  });

  it('text in an encoding that is not known is refused', async () => {
    const russian = Buffer.from('cff0e8e2e5f22c20ece8f02120cde5e1ee20f1e8ede5e52e', 'hex');
    expect(textsOf(await extractFrom(extractor, 'text', russian))).toBe('unsupported_type');
  });

  // Not in this process, where counting the statements that run takes a part of the stack.
  it.each([
    ['<div>', 199],
    ['<div>', 201],
    ['<div>', 1999],
    ['<span>', 1999],
    ['<ul><li>', 900],
    ['<blockquote>', 1000],
    ['<table><tr><td>', 600],
  ])('HTML in %s nested %i times is read', async (tags, times) => {
    const html = Buffer.from(`<p>Before</p>${tags.repeat(times)}<i>Inside</i>`);
    const texts = textsOf(await extractFrom(extractor, 'html', html));
    expect(texts).toEqual([expect.stringMatching(/^Before[^]*Inside\s*$/)]);
  });

  itWithSamples.each(DOCUMENT_SAMPLES)('$file has its text', async (sample) => {
    const format = sample.file.endsWith('.pdf') ? 'pdf' : 'docx';
    const texts = textsOf(await extractFrom(extractor, format, readSample(sample)));
    if (typeof sample.expected === 'string') expect(texts).toBe(sample.expected);
    else
      for (const phrase of sample.expected)
        expect(Array.isArray(texts) ? texts.join('\n') : texts).toContain(phrase);
  });
});
