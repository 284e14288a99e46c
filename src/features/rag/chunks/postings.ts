/** Key of a chunk. */
export interface ChunkKey {
  readonly ingestionId: string;
  readonly ordinal: number;
}

/** Bytes of a key: an id and an ordinal. */
const KEY_BYTES = 20;

/** Bytes of a posting: a key, the length of the chunk in terms, and the frequency of the term. */
const POSTING_BYTES = 26;

/** Offsets in a posting. */
const LENGTH_OFFSET = KEY_BYTES;
const FREQUENCY_OFFSET = KEY_BYTES + 4;

/** Offset of the ordinal in a key. */
const ORDINAL_OFFSET = 16;

/**
 * The chunks with a term, in the binary format of the statements of `LexicalSearchRepository`. Keys are packed, because
 * thousands of them are compared.
 */
export class Postings {
  constructor(private readonly binary: Buffer) {}

  /** Number of chunks. */
  get count(): number {
    return Math.floor(this.binary.length / POSTING_BYTES);
  }

  /** Calls a function for each chunk, with its packed key, its length in terms and the frequency of the term. */
  forEach(visit: (key: string, length: number, frequency: number) => void): void {
    const { binary } = this;
    for (let offset = 0; offset + POSTING_BYTES <= binary.length; offset += POSTING_BYTES) {
      visit(
        binary.toString('latin1', offset, offset + KEY_BYTES),
        binary.readInt32BE(offset + LENGTH_OFFSET),
        binary.readInt16BE(offset + FREQUENCY_OFFSET),
      );
    }
  }
}

/** Returns the packed form of a key: a short text, equal for equal keys. */
export function packKey({ ingestionId, ordinal }: ChunkKey): string {
  const binary = Buffer.alloc(KEY_BYTES);
  binary.write(ingestionId.replaceAll('-', ''), 'hex');
  binary.writeInt32BE(ordinal, ORDINAL_OFFSET);
  return binary.toString('latin1');
}

/** Returns the key of a packed form. */
export function unpackKey(packed: string): ChunkKey {
  const binary = Buffer.from(packed, 'latin1');
  const hex = binary.toString('hex', 0, ORDINAL_OFFSET);
  return {
    ingestionId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    ordinal: binary.readInt32BE(ORDINAL_OFFSET),
  };
}
