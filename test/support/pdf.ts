import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import PDFDocument from 'pdfkit';

const MODULES = join(import.meta.dirname, '../../node_modules');

/** Fonts of npm packages, by the script that they cover. */
export const FONTS = {
  vietnamese: join(MODULES, '@embedpdf/fonts-latin/fonts/NotoSans-Regular.ttf'),
  chinese: join(MODULES, '@embedpdf/fonts-sc/fonts/NotoSansHans-Regular.otf'),
  thai: join(MODULES, '@fontsource/sarabun/files/sarabun-thai-400-normal.woff'),
} as const;

/** Options of a PDF that a test makes. */
export interface PdfOptions {
  /** Path of a font; by default Helvetica, which is not embedded and covers Latin-1. */
  readonly font?: string;
  /** Opening the document requires this password. */
  readonly password?: string;
}

/** Makes a PDF with a page for each text; a page of an empty text has only a drawing. */
export async function makePdf(
  pages: readonly string[],
  { font, password }: PdfOptions = {},
): Promise<Buffer<ArrayBuffer>> {
  const document = new PDFDocument({
    autoFirstPage: false,
    ...(password !== undefined && { userPassword: password, pdfVersion: '1.7' as const }),
  });
  const bytes = buffer(document);
  if (font !== undefined) document.font(font);
  for (const text of pages) {
    document.addPage();
    if (text === '') document.rect(100, 100, 200, 200).fill('red');
    // The feature splits letters such as "ị" into two glyphs, the second of which gets no Unicode in the PDF.
    else document.text(text, { features: { ccmp: false } });
  }
  document.end();
  return Buffer.from(await bytes);
}
