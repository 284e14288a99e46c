import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getDocumentProxy } from 'unpdf';
import { ExtractionError } from './extraction-error.js';
import type { ExtractionLimits } from './extraction-protocol.js';
import { CharacterBudget } from './normalize-text.js';
import type { ParsedPage } from './parsed-page.js';
import { joinTextItems, type PositionedText } from './pdf-lines.js';

type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>;
type PdfPage = Awaited<ReturnType<PdfDocument['getPage']>>;

/** Maximum pixels of an image that is decoded. Text needs none of them. */
const MAX_IMAGE_PIXELS = 1_000_000;

/** Flags of annotations that no viewer shows: Hidden and NoView (ISO 32000-2, table 167). */
const INVISIBLE_FLAGS = 0b10_0010;

/**
 * Folder of the character maps that PDF predefines for Chinese, Japanese and Korean (ISO 32000-2, 9.7.5.2). Files that
 * name one of them need not contain it, and have no readable text without it. The parser's own package has none, so
 * they are those of PDF.js. The parser wants a slash at the end, also on Windows.
 */
const CHARACTER_MAPS = `${join(dirname(fileURLToPath(import.meta.resolve('pdfjs-dist/package.json'))), 'cmaps')}/`;

/**
 * Yields the pages of a PDF with its form fields and notes.
 * @throws ExtractionError with `encrypted`, `damaged`, `too_many_pages` or `too_large`
 */
export async function* readPdfPages(bytes: Uint8Array, limits: ExtractionLimits): AsyncGenerator<ParsedPage> {
  const document = await openPdf(bytes);
  try {
    if (document.numPages > limits.maxPages) throw new ExtractionError('too_many_pages');
    const budget = new CharacterBudget(limits.maxCharacters);
    for (let number = 1; number <= document.numPages; number += 1)
      yield await readPage(document, number, budget);
  } finally {
    await document.loadingTask.destroy();
  }
}

async function openPdf(bytes: Uint8Array): Promise<PdfDocument> {
  try {
    // A copy of its own: the parser takes the memory of what it receives, and refuses a Buffer.
    return await getDocumentProxy(Uint8Array.from(bytes), {
      verbosity: 0,
      cMapUrl: CHARACTER_MAPS,
      cMapPacked: true,
      maxImageSize: MAX_IMAGE_PIXELS,
      disableFontFace: true,
      useSystemFonts: false,
      enableXfa: false,
      useWasm: false,
      useWorkerFetch: false,
      isOffscreenCanvasSupported: false,
      isImageDecoderSupported: false,
      stopAtErrors: false,
    });
  } catch (error) {
    const encrypted = error instanceof Error && error.name === 'PasswordException';
    throw new ExtractionError(encrypted ? 'encrypted' : 'damaged');
  }
}

async function readPage(document: PdfDocument, number: number, budget: CharacterBudget): Promise<ParsedPage> {
  let page: PdfPage;
  let text: string;
  try {
    page = await document.getPage(number);
    text = joinTextItems(await readTextItems(page, budget));
    const { values, notes } = await readAnnotations(page);
    // Notes on highlighted text repeat it, and the window of a note repeats the note. A value repeats nothing, even if
    // the text has the same characters elsewhere.
    const others = notes.filter((note) => !text.includes(note));
    text = [text, ...values, ...new Set(others)].filter((part) => part !== '').join('\n\n');
    page.cleanup();
  } catch (error) {
    if (error instanceof ExtractionError) throw error;
    return { text: '', warning: 'damaged' };
  }
  return /\S/.test(text) ? { text } : { text, warning: 'no_text_layer' };
}

async function readTextItems(page: PdfPage, budget: CharacterBudget): Promise<PositionedText[]> {
  const items: PositionedText[] = [];
  const reader = page.streamTextContent({ includeMarkedContent: false }).getReader();
  for (;;) {
    const { done, value } = (await reader.read()) as { done: boolean; value: unknown };
    if (done) return items;
    for (const item of itemsOf(value)) {
      // Counted while they arrive: one page can hold any number of them.
      budget.spend(item.text.length);
      items.push(item);
    }
  }
}

function* itemsOf(content: unknown): Generator<PositionedText> {
  const items = readField(content, 'items');
  if (!Array.isArray(items)) return;
  for (const item of items as readonly unknown[]) {
    const text = readField(item, 'str');
    const transform = readField(item, 'transform');
    if (typeof text !== 'string' || !Array.isArray(transform)) continue;
    const numbers: readonly unknown[] = transform;
    yield {
      text,
      x: toNumber(numbers[4]),
      y: toNumber(numbers[5]),
      width: toNumber(readField(item, 'width')),
      height: toNumber(readField(item, 'height')),
      endsLine: readField(item, 'hasEOL') === true,
    };
  }
}

/** Text of the annotations of a page. */
interface AnnotationTexts {
  /** Values of form fields, never those of password fields. */
  readonly values: readonly string[];
  readonly notes: readonly string[];
}

async function readAnnotations(page: PdfPage): Promise<AnnotationTexts> {
  const values: string[] = [];
  const notes: string[] = [];
  const annotations: readonly unknown[] = await page.getAnnotations();
  for (const annotation of annotations) {
    if (isHidden(annotation)) continue;
    if (readField(annotation, 'subtype') === 'Widget') values.push(...toTexts(readValue(annotation)));
    else notes.push(...toTexts(readField(readField(annotation, 'contentsObj'), 'str')));
  }
  return { values, notes };
}

/** Returns the value of a text or choice field. */
function readValue(field: unknown): unknown {
  const type = readField(field, 'fieldType');
  return type === 'Tx' || type === 'Ch' ? readField(field, 'fieldValue') : undefined;
}

function isHidden(annotation: unknown): boolean {
  const flags = readField(annotation, 'annotationFlags');
  return (
    readField(annotation, 'password') === true ||
    readField(annotation, 'hidden') === true ||
    (typeof flags === 'number' && (flags & INVISIBLE_FLAGS) !== 0)
  );
}

/** Returns the texts in a value, or in a list of values, without those that are blank. */
function toTexts(value: unknown): string[] {
  return [value]
    .flat()
    .filter((each) => typeof each === 'string')
    .map((each) => each.trim())
    .filter((text) => text !== '');
}

function readField(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function toNumber(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
