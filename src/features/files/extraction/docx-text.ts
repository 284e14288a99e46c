import mammoth from 'mammoth';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { type ArchiveEntry, packArchive } from './docx-archive.js';
import { ExtractionError } from './extraction-error.js';
import type { ExtractionLimits } from './extraction-protocol.js';

/** Start of files in OLE format: those of old Office versions, and encrypted ones of newer versions. */
const OLE_SIGNATURE = Buffer.from('d0cf11e0a1b11ae1', 'hex');

/** Name of the stream of an OLE file that holds an encrypted document. */
const ENCRYPTED_PACKAGE = Buffer.from('EncryptedPackage', 'utf16le');

/** Parts of a DOCX that hold text or say where it is; pictures and embedded files are never inflated. */
const TEXT_PART = /^(?:\[Content_Types\]\.xml|(?:.*\/)?_rels\/[^/]*\.rels|[^/]+\/[^/]+\.xml)$/i;

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
  const archive = packArchive(await readTextParts(buffer, limits));
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
}

async function readTextParts(buffer: Buffer, limits: ExtractionLimits): Promise<ArchiveEntry[]> {
  const zip = await fromBufferPromise(buffer, { lazyEntries: true });
  if (zip.entryCount > limits.maxEntries) throw new ExtractionError('too_large');
  const entries: Entry[] = [];
  let declaredBytes = 0;
  for await (const entry of zip.eachEntry()) {
    if ((entry.generalPurposeBitFlag & ENCRYPTED_FLAG) !== 0) throw new ExtractionError('encrypted');
    // Honest archives are refused before anything is inflated; the sizes of others are counted below.
    declaredBytes += entry.uncompressedSize;
    if (declaredBytes > limits.maxInflatedBytes) throw new ExtractionError('too_large');
    if (TEXT_PART.test(entry.fileName)) entries.push(entry);
  }
  if (!entries.some(({ fileName }) => /^word\/[^/]+\.xml$/i.test(fileName)))
    throw new ExtractionError('unsupported_type');
  let left = limits.maxInflatedBytes;
  const parts: ArchiveEntry[] = [];
  for (const entry of entries) {
    const content = await inflate(zip, entry, left);
    left -= content.length;
    parts.push({ name: entry.fileName, content });
  }
  return parts;
}

/** Returns the content of an entry; stops inflating when it exceeds the bytes that are left. */
async function inflate(zip: ZipFile, entry: Entry, left: number): Promise<Buffer> {
  const stream = await zip.openReadStreamPromise(entry);
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > left) throw new ExtractionError('too_large');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
