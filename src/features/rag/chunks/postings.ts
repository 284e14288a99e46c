/** Key of a chunk. */
export interface ChunkKey {
  readonly ingestionId: string;
  readonly ordinal: number;
}

/** A term of a question in one index. */
export interface IndexTerm {
  readonly indexId: string;
  readonly hash: number;
}

/** Bytes of a key: an id and an ordinal. */
const KEY_BYTES = 20;

/** Offsets in a posting: after the key the length of the chunk in terms, and the frequency of each term that it has. */
const LENGTH_OFFSET = KEY_BYTES;
const FREQUENCY_OFFSET = KEY_BYTES + 4;

/** Bytes of a frequency. */
const FREQUENCY_BYTES = 2;

/** Offset of the ordinal in a key. */
const ORDINAL_OFFSET = 16;

/**
 * The chunks with a term, in the binary format of the statements of `LexicalSearchRepository`. Keys are packed, because
 * thousands of them are compared.
 */
export class Postings {
  private readonly bytes: number;
  private readonly offset: number;

  /**
   * @param frequencies number of frequencies that each posting has
   * @param place position of the frequency of the term among these
   * @param keys the packed keys as far as they have been read
   */
  constructor(
    private readonly binary: Buffer,
    frequencies = 1,
    place = 0,
    private readonly keys: string[] = [],
  ) {
    this.bytes = FREQUENCY_OFFSET + frequencies * FREQUENCY_BYTES;
    this.offset = FREQUENCY_OFFSET + place * FREQUENCY_BYTES;
  }

  /** Returns the chunks with each of several terms, from postings that have the frequencies of all. */
  static ofTerms(binary: Buffer, terms: number, frequencies: number): Postings[] {
    const keys: string[] = [];
    return Array.from({ length: terms }, (_, place) => new Postings(binary, frequencies, place, keys));
  }

  /** Number of postings. Those of several terms include chunks without this one. */
  get count(): number {
    return Math.floor(this.binary.length / this.bytes);
  }

  /** Calls a function for each chunk, with its packed key, its length in terms and the frequency of the term. */
  forEach(visit: (key: string, length: number, frequency: number) => void): void {
    const { binary, bytes, keys } = this;
    for (let offset = 0, row = 0; offset + bytes <= binary.length; offset += bytes, row += 1) {
      const frequency = binary.readInt16BE(offset + this.offset);
      if (frequency === 0) continue;
      const key = (keys[row] ??= binary.toString('latin1', offset, offset + KEY_BYTES));
      visit(key, binary.readInt32BE(offset + LENGTH_OFFSET), frequency);
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

/** Types of the elements of arrays in PostgreSQL's binary format. */
const UUID_OID = 2950;
const INT4_OID = 23;

/** Bytes of the header of such an array, and of the length before each element. */
const ARRAY_HEADER_BYTES = 20;
const ELEMENT_LENGTH_BYTES = 4;

/**
 * Returns the ids and the ordinals of packed keys as parameters of the types `uuid[]` and `int[]`: in PostgreSQL's binary
 * format, which takes a fifth of the time of texts for some hundred keys.
 */
export function toKeyArrays(keys: readonly string[]): { readonly ids: Buffer; readonly ordinals: Buffer } {
  const packed = keys.map((key) => Buffer.from(key, 'latin1'));
  return {
    ids: toBinaryArray(
      UUID_OID,
      packed.map((key) => key.subarray(0, ORDINAL_OFFSET)),
    ),
    ordinals: toBinaryArray(
      INT4_OID,
      packed.map((key) => key.subarray(ORDINAL_OFFSET)),
    ),
  };
}

/** @param elements elements, each in the binary format of its type */
function toBinaryArray(oid: number, elements: readonly Buffer[]): Buffer {
  const size = elements.reduce((sum, { length }) => sum + ELEMENT_LENGTH_BYTES + length, ARRAY_HEADER_BYTES);
  const binary = Buffer.alloc(size);
  // One dimension, no nulls, the type, the number of elements, and the index of the first one.
  let offset = 0;
  for (const field of [1, 0, oid, elements.length, 1]) offset = binary.writeInt32BE(field, offset);
  for (const element of elements) {
    offset = binary.writeInt32BE(element.length, offset);
    offset += element.copy(binary, offset);
  }
  return binary;
}
