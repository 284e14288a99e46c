import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import PDFDocument from 'pdfkit';
import { deflatedEntry, DOCX_SHELL, docxBody, makeZip, rawPdf } from '../../../../test/support/documents.js';
import { FONTS, makePdf } from '../../../../test/support/pdf.js';
import type { TextFormat } from './extracted-text.js';
import { ExtractionError } from './extraction-error.js';
import { extractPages } from './extract-pages.js';
import type { ExtractionLimits } from './extraction-protocol.js';

const LIMITS: ExtractionLimits = {
  memoryBytes: 2 ** 30,
  maxPages: 3,
  maxCharacters: 1_000,
  maxEntries: 10,
  maxInflatedBytes: 10_000,
};

/** Returns the texts of the pages, each with its warning, or the code of the failure. */
async function read(
  format: TextFormat,
  bytes: Uint8Array | string,
  limits = LIMITS,
): Promise<readonly string[] | string> {
  const pages: string[] = [];
  try {
    for await (const { text, warning } of extractPages(format, Buffer.from(bytes), limits))
      pages.push(warning === undefined ? text.trim() : `${warning}: ${text.trim()}`);
  } catch (error) {
    if (error instanceof ExtractionError) return error.message;
    throw error;
  }
  return pages;
}

/** Makes a DOCX whose main part has this XML, or one of the other entries. */
function docx(body = docxBody('Hello'), flags = 0, others = 0): Buffer {
  return makeZip([
    ...DOCX_SHELL,
    { ...deflatedEntry('word/document.xml', body), flags },
    ...Array.from({ length: others }, (_, index) => deflatedEntry(`word/media/${index}.png`, 'x')),
  ]);
}

describe('extractPages', () => {
  it('reads the pages of a PDF, with a warning for one without text', async () => {
    expect(await read('pdf', await makePdf(['One', '']))).toEqual(['One', 'no_text_layer: ']);
  });

  it('reads the form fields and notes of a PDF', async () => {
    const document = new PDFDocument();
    const bytes = buffer(document);
    document.text('Name:').initForm();
    document.formText('name', 100, 100, 200, 20, { value: 'Ada' });
    document.formText('secret', 100, 130, 200, 20, { value: 'hidden', password: true });
    document.formCombo('city', 100, 160, 200, 20, { select: ['Rome', 'Oslo'], value: 'Oslo' });
    document.formCheckbox('yes', 100, 190, 20, 20);
    document.note(100, 220, 20, 20, 'Remember this');
    document.end();
    const [text = ''] = await read('pdf', await bytes);
    for (const part of ['Name:', 'Ada', 'Oslo', 'Remember this']) expect(text).toContain(part);
    expect(text).not.toContain('hidden');
  });

  it('reads a note once although its window repeats it, no hidden one, and a value whose digits are elsewhere', async () => {
    const annotation = (entries: string) => `<< /Type /Annot /Rect [10 10 100 30] ${entries} >>`;
    const text = 'BT /F 12 Tf 20 50 Td (Form 1040, highlighted) Tj ET';
    const bytes = rawPdf([
      '<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [10 0 R] >> >>',
      '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
      '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 100] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> /Annots [6 0 R 7 0 R 8 0 R 9 0 R 10 0 R] >>',
      `<< /Length ${text.length} >>\nstream\n${text}\nendstream`,
      '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
      annotation('/Subtype /Text /Contents (Check this) /Popup 7 0 R'),
      annotation('/Subtype /Popup /Parent 6 0 R'),
      annotation('/Subtype /Text /Contents (Unseen) /F 2'),
      annotation('/Subtype /Highlight /Contents (highlighted) /QuadPoints [10 30 100 30 10 10 100 10]'),
      annotation('/Subtype /Widget /FT /Tx /T (copies) /V (1)'),
    ]);
    expect(await read('pdf', bytes)).toEqual(['Form 1040, highlighted\n\n1\n\nCheck this']);
  });

  it('joins the lines of a paragraph in a script without spaces', async () => {
    const text = '天空之所以是蓝色的，是因为短波长的光被大气散射得更多。'.repeat(4);
    const pages = await read('pdf', await makePdf([text], { font: FONTS.chinese }));
    expect(pages).toEqual([text]);
  });

  it.each<[string, () => Promise<Buffer>, string]>([
    ['with a password', () => makePdf(['Secret'], { password: 'open' }), 'encrypted'],
    ['that is no PDF inside', () => Promise.resolve(Buffer.from('%PDF-1.7\nnothing')), 'damaged'],
    ['of too many pages', () => makePdf(['1', '2', '3', '4']), 'too_many_pages'],
    ['of too many characters', () => makePdf(['long '.repeat(400)]), 'too_large'],
  ])('refuses a PDF %s', async (_what, make, code) => {
    expect(await read('pdf', await make())).toBe(code);
  });

  it('reports a page that cannot be read as damaged', async () => {
    const bytes = rawPdf([
      '<< /Type /Catalog /Pages 2 0 R >>',
      '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
      '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 9 0 R >>',
    ]);
    expect(await read('pdf', bytes)).toEqual([expect.stringMatching(/^(damaged|no_text_layer): $/)]);
  });

  it('reads a DOCX', async () => {
    expect(await read('docx', docx())).toEqual(['Hello']);
  });

  it.each<[string, Buffer, string]>([
    [
      'with a password',
      Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.from('EncryptedPackage', 'utf16le')]),
      'encrypted',
    ],
    ['of an old version', Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'unsupported_type'],
    ['with an encrypted entry', docx(docxBody('Hello'), 1), 'encrypted'],
    ['of too many entries', docx(docxBody('Hello'), 0, 20), 'too_large'],
    ['that inflates to too much', docx(docxBody('a'.repeat(20_000))), 'too_large'],
    ['that is nested too deep', docx('<a>'.repeat(3000)), 'too_large'],
    ['without a main part', makeZip(DOCX_SHELL), 'unsupported_type'],
  ])('refuses a DOCX %s', async (_what, bytes, code) => {
    expect(await read('docx', bytes)).toBe(code);
  });

  it.each([50, 600])(
    'reads the text in %i tables in tables of a DOCX, or refuses it as too large',
    async (times) => {
      const tags = ['w:tbl', 'w:tr', 'w:tc'];
      const body = `${tags
        .map((tag) => `<${tag}>`)
        .join('')
        .repeat(times)}<w:p><w:r><w:t>Inside</w:t></w:r></w:p>${tags
        .toReversed()
        .map((tag) => `</${tag}>`)
        .join('')
        .repeat(times)}`;
      const xml = docxBody('').replace('<w:p><w:r><w:t></w:t></w:r></w:p>', body);
      const result = await read('docx', docx(xml), { ...LIMITS, maxInflatedBytes: 100_000 });
      expect([['Inside'], 'too_large']).toContainEqual(result);
    },
  );

  it('keeps the headings, lists and tables of HTML, and none of its scripts', async () => {
    const html = `<style>p{}</style><script>alert(1)</script><svg><text>no</text></svg>
      <h1>Report</h1><h2> </h2><p>One<p>Two <a href="/x">link</a><ul><li>a<li>b</ul>
      <table><caption>Sums</caption><thead><tr><th>Year<th>Sum</tr></thead>
      <tbody><tr><td>2026</td><td>7<br>8</td><!-- no cell --><p>x</p></tr><tr><td> </td></tr></tbody><tfoot><tr><td>End</td></tr></tfoot></table>
      <dl><dt>Term<dd>Meaning</dl><select><option>x<option>y</select>`;
    const [text = ''] = await read('html', html);
    for (const part of ['# Report', 'Two link', '- a\n- b', 'Sums\nYear | Sum\n2026 | 7', 'End', 'Meaning'])
      expect(text).toContain(part);
    for (const part of ['alert', 'p{}', 'no\n']) expect(text).not.toContain(part);
  });

  it('refuses HTML that is nested too deep, but not many elements side by side', async () => {
    expect(await read('html', '<div>'.repeat(3000))).toBe('too_large');
    expect(await read('html', '<p>a<br>'.repeat(3000))).toHaveLength(1);
    expect(await read('html', '<div>a</div></b>'.repeat(3000))).toHaveLength(1);
    expect(await read('html', '<div><!--</div>-->'.repeat(3000))).toBe('too_large');
  });

  it('reads all text of HTML that the converter cannot read to its depth, or refuses it', async () => {
    const result = await read('html', `<p>Before</p>${'<table>'.repeat(1990)}Inside`);
    expect([['Before\n\nInside'], 'too_large']).toContainEqual(result);
  });

  it.each([
    ['before the body', 'one<body>two</body>', 'one\ntwo'],
    ['after the body', '<html><body>one</body>two</html>three', 'one\ntwo\nthree'],
    ['in a head that is not closed', '<head><title>one</title><body>two', 'one\n\ntwo'],
    ['between rows', '<table>one<tr><td>two</td></tr><p>three</p></table>', 'one\ntwo\nthree'],
    ['between cells', '<table><tr>one<td>two</td><b>three</b></tr></table>', 'one | two | three'],
    ['in a form around rows', '<table><form><tr><td>one<td>two</form></table>', 'one | two'],
    ['in a form around cells', '<table><tr><form><td>one<td>two</form></table>', 'one | two'],
    [
      'in terms and options',
      '<dl><dt>one<dd>two</dl><select><option>three<option>four',
      'one\ntwo\nthree\nfour',
    ],
  ])('reads text of HTML %s', async (_where, html, expected) => {
    expect(await read('html', html)).toEqual([expected]);
  });

  it('reads a cell of a table with a million spaces that do not break', async () => {
    const cell = `a${'\u00a0'.repeat(1_000_000)}b<br> <br>c`;
    const [text = ''] = await read('html', `<table><tr><td>${cell}</td><td>d</td></tr></table>`);
    expect(text.replaceAll('\u00a0', '')).toBe('ab c | d');
  });

  it.each([
    ['a script', `<script>${'if(a<b)c="<div>";'.repeat(3000)}</script>`],
    ['a style', `<style>${'/*<b>*/'.repeat(3000)}</style>`],
    ['a comment', `<!--${'<div>'.repeat(3000)}-->`],
    ['an attribute', `<p title="${'<b '.repeat(3000)}">`],
  ])('does not take what looks like tags in %s for nested elements', async (_what, html) => {
    const [text = ''] = await read('html', `${html}<p>Text</p>`);
    expect(text).toMatch(/Text$/);
  });

  it.each<[string, TextFormat, Buffer, string]>([
    ['UTF-8 with a byte order mark', 'text', Buffer.from('\uFEFFHello'), 'Hello'],
    ['UTF-16LE', 'text', Buffer.from('\uFEFFTrời', 'utf16le'), 'Trời'],
    ['UTF-16BE', 'text', Buffer.from('\uFEFFTrời', 'utf16le').swap16(), 'Trời'],
    [
      'windows-1252',
      'text',
      Buffer.from('Un caf\xe9 cr\xe8me, s\x92il vous pla\xeet.', 'latin1'),
      'Un café crème, s’il vous plaît.',
    ],
    ['Shift-JIS', 'text', Buffer.from('93fa967b8cea82cc95b68f9182c582b78142', 'hex'), '日本語の文書です。'],
    [
      'GBK',
      'text',
      Buffer.from('ccecbfd5cac7c0b6c9abb5c4a3acd2f2cefacbb5b5c4b9e2b1bbc9a2c9e4a1a3', 'hex'),
      '天空是蓝色的',
    ],
    ['what HTML declares', 'html', Buffer.from('<meta charset="windows-1252"><p>Caf\xe9', 'latin1'), 'Café'],
    ['UTF-8 although HTML declares UTF-16', 'html', Buffer.from('<meta charset="utf-16"><p>Café'), 'Café'],
    [
      'UTF-8 although HTML declares nonsense',
      'html',
      Buffer.from('<meta charset="nonsense"><p>Café'),
      'Café',
    ],
  ])('decodes %s', async (_encoding, format, bytes, expected) => {
    expect(await read(format, bytes)).toEqual([expect.stringContaining(expected)]);
  });

  it.each<[string, string]>([
    ['4bf66c6e', 'Köln'],
    ['4772fcdf65', 'Grüße'],
    ['636166e9', 'café'],
    ['636166e90a', 'café'],
    ['45737061f161', 'España'],
    ['4d61f1616e61', 'Mañana'],
    ['70e5', 'på'],
    ['626ce52068617665740a', 'blå havet'],
    [`${Buffer.from('x '.repeat(400)).toString('hex')}636166e90a`, 'café'],
    ['536d6974689273207265706f727420697320612093647261667494', 'Smith’s report is a “draft”'],
    [
      Buffer.from("Un caf\xe9 cr\xe8me, s'il vous pla\xeet", 'latin1').toString('hex'),
      "Un café crème, s'il vous plaît",
    ],
    [
      Buffer.from('S\xe3o Jo\xe3o, cora\xe7\xe3o, informa\xe7\xf5es', 'latin1').toString('hex'),
      'São João, coração',
    ],
    [
      '8ce1947982cd944c82c582a082e9814296bc914f82cd82dc82be96b382a2814282c782b182c590b682ea82bd82a982c682f182c68ca9939682aa82c282a982ca8142',
      '猫である。名前はまだ無い。',
    ],
  ])('decodes %.60s as %s', async (hex, expected) => {
    expect(await read('text', Buffer.from(hex, 'hex'))).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    ['UTF-8 with a lone surrogate', 'One \xed\xa0\x80 two', 'One \ufffd two'],
    ['CESU-8, which encodes both halves of a pair', 'One \xed\xa0\xbd\xed\xb8\x80', 'One \ud83d\ude00'],
    ['UTF-16 with a lone surrogate', '\xff\xfeO\0n\0e\0 \0t\0w\0o\0 \0\0\xd8', 'One two \ufffd'],
  ])('reads %s', async (_encoding, bytes, expected) => {
    expect(await read('text', Buffer.from(bytes, 'latin1'))).toEqual([expected]);
  });

  it('reads UTF-8 with single NULs, which the normalization removes', async () => {
    expect(await read('text', Buffer.from('one part\0, another'))).toEqual(['one part\0, another']);
  });

  it.each([
    ['Russian in windows-1251', 'cff0e8e2e5f22c20ece8f02120cde5e1ee20f1e8ede5e52e'],
    ['Russian in pairs of bytes', 'ece0ece020ecfbebe020f0e0ecf3'],
    ['Russian in KOI8-R', 'edcfd3cbd7c120d1d7ccd1c5d4d3d120d3d4cfccc9c3c5ca20f2cfd3d3c9c9'],
    ['Korean in EUC-KR', 'c7d1b1b9beee'],
    ['a Korean greeting', 'bec8b3e7c7cfbcbcbfe4'],
    ['Japanese in EUC-JP', 'c6fccbdcb8eca4cecab8bdf1a4c7a4b9a1a3'],
    ['two ideographs in EUC-JP', 'c5ecb5fe'],
    ['two ideographs in Shift-JIS', '938c8b9e'],
    ['two ideographs in GBK', 'd6d0cec4'],
    ['Chinese in Big5', 'a4a4a4e5a4e5a5f3a141b36fac4fa440add3b4fab8d5a143a4d1aac5ac4fc2c5a6e2aabaa143'],
    ['Turkish in windows-1254', '49fefd6b2076652067f66c67652c20fe656b65722c206461f0'],
    ['a Turkish word', '446ff075'],
    [
      'Polish in windows-1250',
      '506f6c736b61206a657374207061f1737477656d2077204575726f706965208c726f646b6f77656a',
    ],
    [
      'Polish in ISO-8859-2',
      '506f6c736b61206a657374207061f1737477656d2077204575726f70696520a6726f646b6f77656a',
    ],
    ['a Polish word', 'a3f3649f'],
    ['a Polish word with one letter outside ASCII', '7061f17374776f'],
    ['a Polish name with such a letter at its end', '506f7a6e61f1'],
    ['a Slovak word', '7374e570'],
    ['German of an old Macintosh', '4b9a6c6e2c2047729fa765'],
    ['German of DOS', '44846e656d61726b'],
    ['bytes with NUL', '80000102'],
    ['half a UTF-16 file', 'fffe00d8'],
    ['other bytes after the mark of UTF-16', `fffe${'00d84100'.repeat(20)}`],
    ['the beginning of a surrogate', '6162eda0'],
    [
      'UTF-16 that ends within a unit',
      `${Buffer.from('\ufeffhello world, this is', 'utf16le').toString('hex')}41`,
    ],
    [
      'private characters beside a lone surrogate',
      Buffer.from(`\ufeff${'text '.repeat(9)}\ue000\ud800.`, 'utf16le').toString('hex'),
    ],
    ['control characters', '818d8f909d01'],
  ])('refuses %s', async (_what, hex) => {
    expect(await read('text', Buffer.from(hex, 'hex'))).toBe('unsupported_type');
  });
});
