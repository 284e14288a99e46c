import mammoth from 'mammoth';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { type ArchiveEntry, packArchive } from './docx-archive.js';
import { ExtractionError, toParserFailure } from './extraction-error.js';
import type { ExtractionLimits } from './extraction-protocol.js';
import { XmlDepthCheck } from './markup-depth.js';

/** Start of files in OLE format: those of old Office versions, and encrypted ones of newer versions. */
const OLE_SIGNATURE = Buffer.from('d0cf11e0a1b11ae1', 'hex');

/** Name of the stream of an OLE file that holds an encrypted document. */
const ENCRYPTED_PACKAGE = Buffer.from('EncryptedPackage', 'utf16le');

/** Parts of a DOCX that hold text or say where it is; pictures and embedded files are never inflated. */
const TEXT_PART = /^(?:\[Content_Types\]\.xml|(?:.*\/)?_rels\/[^/]*\.rels|[^/]+\/[^/]+\.xml)$/i;

/**
 * Memory that the converter needs for a byte of the parts with text, in bytes: at least 9 in documents of one paragraph,
 * more in those of many. Larger parts would exceed the memory limit, so they are refused before they are inflated.
 */
const MEMORY_PER_TEXT_BYTE = 9;

/** Bit of the flags of an entry that is encrypted. */
const ENCRYPTED_FLAG = 1;

/**
 * Returns a DOCX as HTML: paragraphs, headings, lists, tables, text boxes, footnotes, endnotes and comments. The
 * archive is read with limits first, and the converter receives a new one that contains only what was checked: two
 * readers of one hostile archive need not see the same entries.
 * @throws ExtractionError with `encrypted`, `unsupported_type`, `too_large` or `damaged`
 */
export async function readDocx(bytes: Uint8Array, limits: ExtractionLimits): Promise<string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.subarray(0, OLE_SIGNATURE.length).equals(OLE_SIGNATURE))
    throw new ExtractionError(buffer.includes(ENCRYPTED_PACKAGE) ? 'encrypted' : 'unsupported_type');
  return convertToHtml(packArchive(await readTextParts(buffer, limits)));
}

async function convertToHtml(archive: Buffer): Promise<string> {
  try {
    const { value } = await mammoth.convertToHtml(
      { buffer: archive },
      {
        styleMap: ['comment-reference => sup'],
        includeEmbeddedStyleMap: false,
        externalFileAccess: false,
        convertImage: mammoth.images.imgElement(() => Promise.resolve({ src: '' })),
      },
    );
    return value;
  } catch (error) {
    throw toParserFailure(error);
  }
}

async function readTextParts(buffer: Buffer, limits: ExtractionLimits): Promise<ArchiveEntry[]> {
  const zip = await fromBufferPromise(buffer, { lazyEntries: true });
  if (zip.entryCount > limits.maxEntries) throw new ExtractionError('too_large');
  const entries = await listTextParts(zip, limits);
  await checkParts(zip, entries, limits);
  const parts: ArchiveEntry[] = [];
  for (const entry of entries) {
    const pieces = await Array.fromAsync(await openEntry(zip, entry));
    parts.push({ name: entry.fileName, content: Buffer.concat(pieces) });
  }
  return parts;
}

/** Returns the entries with text; honest archives that exceed a limit are refused before anything is inflated. */
async function listTextParts(zip: ZipFile, limits: ExtractionLimits): Promise<Entry[]> {
  const entries: Entry[] = [];
  let all = 0;
  let text = 0;
  for await (const entry of zip.eachEntry()) {
    if ((entry.generalPurposeBitFlag & ENCRYPTED_FLAG) !== 0) throw new ExtractionError('encrypted');
    all += entry.uncompressedSize;
    if (TEXT_PART.test(entry.fileName)) {
      entries.push(entry);
      text += entry.uncompressedSize;
    }
    if (all > limits.maxInflatedBytes || text > maxTextBytes(limits)) throw new ExtractionError('too_large');
  }
  if (!entries.some(({ fileName }) => /^word\/[^/]+\.xml$/i.test(fileName)))
    throw new ExtractionError('unsupported_type');
  return entries;
}

/** Returns the maximum bytes of all parts with text, inflated. */
function maxTextBytes({ maxInflatedBytes, memoryBytes }: ExtractionLimits): number {
  return Math.min(maxInflatedBytes, memoryBytes / MEMORY_PER_TEXT_BYTE);
}

/**
 * Inflates the parts without storing them, and reads how deep they are nested: a size in a header may be false, and
 * memory is for parts that have their size. The converter needs a minute for 100 KB that are a million levels of XML.
 * @throws ExtractionError with `too_large`
 */
async function checkParts(zip: ZipFile, entries: readonly Entry[], limits: ExtractionLimits): Promise<void> {
  let left = maxTextBytes(limits);
  for (const entry of entries) {
    const depth = new XmlDepthCheck();
    for await (const piece of await openEntry(zip, entry)) {
      left -= piece.length;
      if (left < 0) throw new ExtractionError('too_large');
      depth.add(piece);
    }
  }
}

/** Returns the content of an entry. It throws as soon as there are more bytes than the header declares. */
async function openEntry(zip: ZipFile, entry: Entry): Promise<AsyncIterable<Buffer>> {
  return zip.openReadStreamPromise(entry);
}
