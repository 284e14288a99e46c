// Real child processes and documents that were made to hurt them: each fails with its code, in time and in memory.
import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import type { TextFormat } from '../../../../../src/features/files/extraction/extracted-text.js';
import type { TextExtractor } from '../../../../../src/features/files/extraction/text-extractor.js';
import {
  deflatedEntry,
  deflatedLetters,
  DOCX_SHELL,
  docxBody,
  extractFrom,
  extractionProcesses,
  makeExtractor,
  makeZip,
  memoryOf,
  processorTimeOf,
  rawPdf,
  textsOf,
} from '../../../../support/documents.js';
import { makePdf } from '../../../../support/pdf.js';

const MEGABYTE = 2 ** 20;

/**
 * Processor time that documents may take that are refused before they are parsed, in milliseconds. Time by the clock
 * depends on what else runs: the processes have a low priority.
 */
const TIME_MS = 2000;

/** Memory that documents may take that are refused before they are parsed, and others; with the watchdog's delay. */
const ARCHIVE_BYTES = 100 * MEGABYTE;
const PARSER_BYTES = 300 * MEGABYTE;

interface HostileDocument {
  readonly title: string;
  readonly format: TextFormat;
  readonly make: () => Buffer | Promise<Buffer>;
  /** Codes that it may fail with. */
  readonly fails: readonly string[];
  readonly maxBytes?: number;
}

const bombs = deflatedLetters(2048);
const page = (resources: string) =>
  `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources << ${resources} >> >>`;
const stream = (dictionary: string, content: Buffer) =>
  Buffer.concat([
    Buffer.from(`<< /Length ${content.length} ${dictionary} >>\nstream\n`),
    content,
    Buffer.from('\nendstream'),
  ]);
const CATALOG = '<< /Type /Catalog /Pages 2 0 R >>';
const PAGES = '<< /Type /Pages /Kids [3 0 R] /Count 1 >>';

/** A DOCX whose main part is 2 GB of one letter, with this size in its headers. */
function bombOfSize(size: number): Buffer {
  return makeZip([...DOCX_SHELL, { name: 'word/document.xml', stored: bombs, size, deflated: true }]);
}

/** All entries of the directory share one local entry, so that few bytes inflate to very many. */
function overlappingZip(): Buffer {
  const kernel = deflatedEntry('word/document.xml', 'a'.repeat(MEGABYTE));
  return makeZip([
    kernel,
    ...Array.from({ length: 900 }, () => ({ ...kernel, stored: kernel.stored, offset: 0 })),
  ]);
}

const DOCUMENTS: readonly HostileDocument[] = [
  {
    title: 'a DOCX of 2 GB of one letter',
    format: 'docx',
    make: () => bombOfSize(2 ** 31),
    fails: ['too_large'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a DOCX with a false size in its header',
    format: 'docx',
    make: () => bombOfSize(1000),
    fails: ['damaged'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a DOCX with a false size of 190 MB, below the limit of all entries',
    format: 'docx',
    make: () => bombOfSize(190 * MEGABYTE),
    fails: ['too_large'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a DOCX with a false size of 20 MB, below the limit of parts with text',
    format: 'docx',
    make: () => bombOfSize(20 * MEGABYTE),
    fails: ['damaged'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a DOCX with 190 MB of one letter, as its header says',
    format: 'docx',
    make: () => makeZip([...DOCX_SHELL, deflatedEntry('word/document.xml', 'a'.repeat(190 * MEGABYTE))]),
    fails: ['too_large'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a DOCX with 30 parts of 1 MB, which together are larger than its text may be',
    format: 'docx',
    make: () =>
      makeZip([
        ...DOCX_SHELL,
        deflatedEntry('word/document.xml', docxBody('Hello')),
        ...Array.from({ length: 30 }, (_, index) => deflatedEntry(`word/${index}.xml`, 'a'.repeat(MEGABYTE))),
      ]),
    fails: ['too_large'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a DOCX with 100,000 entries',
    format: 'docx',
    make: () =>
      makeZip([
        ...DOCX_SHELL,
        deflatedEntry('word/document.xml', docxBody('Hello')),
        ...Array.from({ length: 100_000 }, (_, index) => ({
          name: `word/${index}.xml`,
          stored: Buffer.alloc(0),
        })),
      ]),
    fails: ['too_large'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'an archive of archives',
    format: 'docx',
    make: () =>
      makeZip([
        {
          name: 'inner.zip',
          stored: makeZip([{ name: 'word/document.xml', stored: bombs, deflated: true }]),
        },
      ]),
    fails: ['unsupported_type'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'an archive whose entries overlap',
    format: 'docx',
    make: overlappingZip,
    fails: ['too_large', 'damaged'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a renamed .doc',
    format: 'docx',
    make: () => Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), randomBytes(MEGABYTE)]),
    fails: ['unsupported_type'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a DOCX with a password',
    format: 'docx',
    make: () =>
      Buffer.concat([
        Buffer.from('d0cf11e0a1b11ae1', 'hex'),
        Buffer.alloc(1000),
        Buffer.from('EncryptedPackage', 'utf16le'),
      ]),
    fails: ['encrypted'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'an archive with an encrypted entry',
    format: 'docx',
    make: () =>
      makeZip([...DOCX_SHELL, { ...deflatedEntry('word/document.xml', docxBody('Hello')), flags: 1 }]),
    fails: ['encrypted'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a DOCX whose XML is 7 million deep',
    format: 'docx',
    make: () => makeZip([...DOCX_SHELL, deflatedEntry('word/document.xml', '<a>'.repeat(7_000_000))]),
    fails: ['too_large'],
    maxBytes: ARCHIVE_BYTES,
  },
  {
    title: 'a PDF whose page inflates to 256 MB',
    format: 'pdf',
    make: () => {
      const once = deflateSync(Buffer.alloc(256 * MEGABYTE, ' '));
      return rawPdf([CATALOG, PAGES, page(''), stream('/Filter [/FlateDecode]', once)]);
    },
    fails: ['too_large', 'damaged', 'no_text_layer', 'timeout'],
  },
  {
    title: 'a PDF whose page tree is a loop',
    format: 'pdf',
    make: () => rawPdf([CATALOG, '<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000 >>']),
    fails: ['damaged'],
  },
  {
    title: 'a PDF that declares a million pages',
    format: 'pdf',
    make: () =>
      rawPdf([
        CATALOG,
        '<< /Type /Pages /Kids [3 0 R] /Count 1000000 >>',
        page(''),
        stream('', Buffer.from(' ')),
      ]),
    fails: ['too_many_pages', 'damaged', 'no_text_layer'],
  },
  {
    title: 'a PDF with an image of 10 billion pixels',
    format: 'pdf',
    make: () => {
      const image = stream(
        '/Type /XObject /Subtype /Image /Width 100000 /Height 100000 /BitsPerComponent 8 /ColorSpace /DeviceRGB',
        Buffer.from('x'),
      );
      return rawPdf([
        CATALOG,
        PAGES,
        page('/XObject << /I 5 0 R >>'),
        stream('', Buffer.from('/I Do')),
        image,
      ]);
    },
    fails: ['no_text_layer', 'damaged'],
  },
  {
    title: 'random bytes that begin as a PDF',
    format: 'pdf',
    make: () => Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(MEGABYTE)]),
    fails: ['damaged'],
  },
  {
    title: 'random bytes that begin as an archive',
    format: 'docx',
    make: () => Buffer.concat([Buffer.from('PK\x03\x04'), randomBytes(MEGABYTE)]),
    fails: ['damaged'],
  },
  {
    title: 'random bytes as text',
    format: 'text',
    make: () => randomBytes(MEGABYTE),
    fails: ['unsupported_type'],
  },
  { title: 'white space', format: 'text', make: () => Buffer.from(' \n\t '), fails: ['empty'] },
  {
    title: 'HTML with a million nested elements',
    format: 'html',
    make: () => Buffer.from('<div>'.repeat(1_000_000)),
    fails: ['too_large'],
  },
];

// The processes have a low priority, and other tests run beside them.
jest.setTimeout(120_000);

/** Extracts the text of a document in a process that has read another one; returns what the process needed for it. */
async function measure(extractor: TextExtractor, { title, format }: HostileDocument, bytes: Buffer) {
  await extractFrom(extractor, 'text', 'Hello');
  const [pid = 0] = extractionProcesses();
  const atStart = memoryOf(pid, 'VmRSS');
  const usedBefore = processorTimeOf(pid);
  let peak = atStart;
  let processorMs = 0;
  const sample = () => {
    peak = Math.max(peak, memoryOf(pid, 'VmHWM'));
    processorMs = Math.max(processorMs, processorTimeOf(pid) - usedBefore);
  };
  const watch = setInterval(sample, 10);
  const start = performance.now();
  const result = textsOf(await extractFrom(extractor, format, bytes));
  const took = performance.now() - start;
  clearInterval(watch);
  sample();
  const grownBytes = peak - atStart;
  process.stderr.write(
    `    ${title}: ${String(result).slice(0, 40)}, ${Math.round(took)} ms (processor ${processorMs}), ${Math.round(grownBytes / MEGABYTE)} MB\n`,
  );
  return { result, processorMs, grownBytes };
}

describe('hostile documents', () => {
  const extractor = makeExtractor();
  afterAll(() => extractor.beforeApplicationShutdown());

  it.each(DOCUMENTS)('$title fails with its code, in time and within its memory', async (document) => {
    const { make, fails, maxBytes = PARSER_BYTES } = document;
    const { result, processorMs, grownBytes } = await measure(extractor, document, await make());
    expect(fails).toContain(result);
    if (maxBytes <= ARCHIVE_BYTES) expect(processorMs).toBeLessThan(TIME_MS);
    expect(grownBytes).toBeLessThan(maxBytes);
    // What comes next does not notice.
    expect(textsOf(await extractFrom(extractor, 'text', 'Next'))).toEqual(['Next']);
  });

  it('a truncated document is damaged or has its text, wherever it ends', async () => {
    const pdf = await makePdf(['First page', 'Second page']);
    const docx = makeZip([...DOCX_SHELL, deflatedEntry('word/document.xml', docxBody('Hello'))]);
    for (const [format, whole] of [
      ['pdf', pdf],
      ['docx', docx],
    ] as const) {
      for (let part = 1; part < 20; part += 1) {
        const result = await extractFrom(extractor, format, whole.subarray(0, (whole.length * part) / 20));
        const expected = format === 'docx' ? ['damaged'] : ['damaged', 'no_text_layer'];
        if (result.status === 'failed') expect(expected).toContain(result.error);
      }
    }
  });

  it('JSON of a million levels is text like any other', async () => {
    const json = '['.repeat(1_000_000);
    expect(textsOf(await extractFrom(extractor, 'text', json))).toEqual([json]);
  });
});

describe('a server that allows documents more memory', () => {
  const extractor = makeExtractor({ memoryBytes: 4096 * MEGABYTE });
  afterAll(() => extractor.beforeApplicationShutdown());

  it('stores nothing of a DOCX with a false size before it knows the real one', async () => {
    const document: HostileDocument = {
      title: 'a DOCX with a false size of 190 MB, below all limits',
      format: 'docx',
      make: () => bombOfSize(190 * MEGABYTE),
      fails: ['damaged'],
    };
    const { result, grownBytes } = await measure(extractor, document, await document.make());
    expect(document.fails).toContain(result);
    expect(grownBytes).toBeLessThan(ARCHIVE_BYTES);
  });
});
