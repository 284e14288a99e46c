import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from '@jest/globals';

const { DOCUMENT_SAMPLES: FOLDER = '' } = process.env;

/** A real document, and what its text is to be. */
export interface DocumentSample {
  readonly file: string;
  /** Phrases of the text, or the code of the failure. */
  readonly expected: readonly string[] | string;
}

/** The real documents. */
export const DOCUMENT_SAMPLES: readonly DocumentSample[] = [
  { file: 'comments.docx', expected: ['Ouch', 'A tachyon walks into a bar.'] },
  { file: 'empty.docx', expected: 'empty' },
  { file: 'endnotes.docx', expected: ['Ouch', 'A tachyon walks into a bar.', 'Fin.'] },
  { file: 'footnotes.docx', expected: ['Ouch', 'A tachyon walks into a bar.', 'Fin.'] },
  {
    file: 'google-doc-document.pdf',
    expected: ['Beautiful is better than ugly.\nExplicit is better than implicit.'],
  },
  { file: 'grayscale-image.pdf', expected: 'no_text_layer' },
  { file: 'habibi-rotated.pdf', expected: ['habibi'] },
  { file: 'habibi.pdf', expected: ['habibi'] },
  { file: 'imagemagick-images.pdf', expected: 'no_text_layer' },
  { file: 'libreoffice-writer-password.pdf', expected: 'encrypted' },
  {
    file: 'minimal-document.pdf',
    expected: ['Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam'],
  },
  {
    file: 'multicolumn.pdf',
    expected: ['Two-Column Document with Lorem Ipsum', 'Curabitur dictum gravida mauris.'],
  },
  { file: 'pdfkit.pdf', expected: ['Foo: bar\nABC: DEF'] },
  { file: 'pdflatex-4-pages.pdf', expected: ['If you read this text, you will get no information.'] },
  { file: 'pdflatex-forms.pdf', expected: ['Name'] },
  { file: 'simple-list.docx', expected: ['- Apple\n- Banana'] },
  { file: 'single-paragraph.docx', expected: ['Walking on imported air'] },
  { file: 'strict-format.docx', expected: ['Test'] },
  { file: 'tables.docx', expected: ['Top left | Top right\nBottom left | Bottom right'] },
  { file: 'text-box.docx', expected: ['Datum plane'] },
  { file: 'utf8-bom.docx', expected: ['This XML has a byte order mark.'] },
  { file: 'with-attachment.pdf', expected: ['Lorem ipsum dolor sit amet, consetetur sadipscing elitr'] },
];

const hasFolder = existsSync(FOLDER);
if (!hasFolder) process.stderr.write('SKIPPED: real documents; DOCUMENT_SAMPLES names no folder\n');

/** Tests of the real documents, which are skipped if the environment names no folder with them. */
export const itWithSamples = hasFolder ? it : it.skip;

/** Returns the bytes of a real document. */
export function readSample({ file }: DocumentSample): Buffer<ArrayBuffer> {
  return readFileSync(join(FOLDER, file));
}
