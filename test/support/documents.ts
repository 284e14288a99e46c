// Documents that tests make, archives and hostile PDFs, and the extraction of their text.
import { readFileSync } from 'node:fs';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import type { ExtractedText, TextFormat } from '../../src/features/files/extraction/extracted-text.js';
import { TextExtractor } from '../../src/features/files/extraction/text-extractor.js';

/** An entry of an archive, as its headers describe it. */
export interface RawEntry {
  readonly name: string;
  /** Content as it is stored. */
  readonly stored: Buffer;
  /** Size in the headers; by default that of `stored`. */
  readonly size?: number;
  readonly crc?: number;
  readonly deflated?: boolean;
  readonly flags?: number;
  /** Offset of the local header in the directory, if it is not its own. */
  readonly offset?: number;
}

/** Makes an archive; its headers may be false. */
export function makeZip(entries: readonly RawEntry[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const {
    name,
    stored,
    size = stored.length,
    crc = 0,
    deflated = false,
    flags = 0,
    offset,
  } of entries) {
    const header = Buffer.alloc(30);
    header.write('PK\x03\x04', 'latin1');
    header.writeUInt16LE(20, 4);
    header.writeUInt16LE(flags, 6);
    header.writeUInt16LE(deflated ? 8 : 0, 8);
    header.writeUInt32LE(crc, 14);
    header.writeUInt32LE(stored.length, 18);
    header.writeUInt32LE(size, 22);
    header.writeUInt16LE(Buffer.byteLength(name), 26);
    const central = Buffer.alloc(46);
    central.write('PK\x01\x02', 'latin1');
    header.copy(central, 6, 4, 30);
    central.writeUInt32LE(offset ?? position, 42);
    directory.push(central, Buffer.from(name));
    const local = [header, Buffer.from(name), stored];
    locals.push(...local);
    position += local.reduce((sum, { length }) => sum + length, 0);
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(Math.min(entries.length, 65_535), 8);
  end.writeUInt16LE(Math.min(entries.length, 65_535), 10);
  const directoryBytes = Buffer.concat(directory);
  end.writeUInt32LE(directoryBytes.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...locals, directoryBytes, end]);
}

/** Returns an entry that is deflated and honest about itself. */
export function deflatedEntry(name: string, content: string): RawEntry {
  const bytes = Buffer.from(content);
  return { name, stored: deflateRawSync(bytes), size: bytes.length, crc: crc32(bytes), deflated: true };
}

const PACKAGE = 'http://schemas.openxmlformats.org/package/2006';
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';

/** Entries of a minimal DOCX without its main part. */
export const DOCX_SHELL: readonly RawEntry[] = [
  deflatedEntry(
    '[Content_Types].xml',
    `<Types xmlns="${PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>`,
  ),
  deflatedEntry(
    '_rels/.rels',
    `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="r" Type="${OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>`,
  ),
];

/** Returns the main part of a DOCX with one paragraph. */
export function docxBody(text: string): string {
  return `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>${text}</w:t></w:r></w:p></w:body></w:document>`;
}

/** Returns raw DEFLATE data of so many megabytes of one letter. */
export function deflatedLetters(megabytes: number): Buffer {
  const block = deflateRawSync(Buffer.alloc(2 ** 20, 'a'), { finishFlush: constants.Z_FULL_FLUSH });
  return Buffer.concat([...Array.from({ length: megabytes }, () => block), deflateRawSync(Buffer.alloc(0))]);
}

/** Returns a PDF of raw objects, with a cross-reference table. */
export function rawPdf(objects: readonly (string | Buffer)[]): Buffer {
  const pieces: Buffer[] = [Buffer.from('%PDF-1.7\n')];
  const offsets: number[] = [];
  let length = 9;
  for (const [index, object] of objects.entries()) {
    offsets.push(length);
    const piece = Buffer.concat([
      Buffer.from(`${index + 1} 0 obj\n`),
      Buffer.from(object),
      Buffer.from('\nendobj\n'),
    ]);
    pieces.push(piece);
    length += piece.length;
  }
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const size = objects.length + 1;
  pieces.push(
    Buffer.from(
      `xref\n0 ${size}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${length}\n%%EOF\n`,
    ),
  );
  return Buffer.concat(pieces);
}

/** Limits of extractors in tests: the defaults. */
export const DEFAULT_LIMITS = {
  processes: 1,
  timeoutMs: 60_000,
  memoryBytes: 200 * 2 ** 20,
  maxPages: 2000,
  maxCharacters: 20_000_000,
  maxEntries: 1000,
  maxInflatedBytes: 200 * 2 ** 20,
};

/** Returns an extractor with the default limits, or others. */
export function makeExtractor(limits: Partial<typeof DEFAULT_LIMITS> = {}): TextExtractor {
  return new TextExtractor({ ...DEFAULT_LIMITS, ...limits });
}

/** Yields bytes in pieces of 64 KB. */
export async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536);
}

/** Extracts the text of a document in memory. */
export function extractFrom(
  extractor: TextExtractor,
  format: TextFormat,
  bytes: Uint8Array | string,
  signal: AbortSignal = new AbortController().signal,
): Promise<ExtractedText> {
  return extractor.extract({ format, bytes: inPieces(Buffer.from(bytes)) }, signal);
}

/** Returns the pages of an extraction, or its failure. */
export function textsOf(result: ExtractedText): readonly string[] | string {
  return result.status === 'ready' ? result.pages.map(({ text }) => text) : result.error;
}

/** Returns the processes for text extraction that this process, or the given one, has started; Linux only. */
export function extractionProcesses(parent: number = process.pid): number[] {
  return readProc(parent, `task/${parent}/children`)
    .split(' ')
    .filter((pid) => pid !== '')
    .map(Number)
    .filter((pid) => isRunning(pid) && readProc(pid, 'cmdline').includes('extraction-child.js'));
}

/** Returns a field of the status of a process in bytes, or 0 if it has ended. */
export function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readProc(pid, 'status'))?.[1] ?? 0) * 1024;
}

/** Returns the processor time of a process in milliseconds, or 0 if it has ended; Linux only. */
export function processorTimeOf(pid: number): number {
  // The name, in brackets, may contain spaces; user and system time are the 12th and 13th fields after it.
  const fields = readProc(pid, 'stat').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

/** Returns true if the process exists and has not ended; Linux only. */
export function isRunning(pid: number): boolean {
  const status = readProc(pid, 'status');
  return status !== '' && !/^State:\s+Z/m.test(status);
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** Resolves when the process has ended. */
export async function whenGone(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
}
