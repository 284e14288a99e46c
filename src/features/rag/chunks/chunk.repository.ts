import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { ChunkDraft } from '../model/chunker.js';
import { hashTerm, termFrequencies } from '../model/tokenizer.js';
import { toArrayLiteral, toSignBits } from './vector-codec.js';

/** Bounds of a statement that inserts: the number of rows, and the characters of their literals. */
const INSERT_BATCH = { rows: 200, characters: 4_000_000 } as const;

/** Maximum of a `smallint`. */
const MAX_FREQUENCY = 32_767;

/** The ingestion that chunks belong to. */
export interface ChunkOwner {
  readonly id: string;
  readonly indexId: string;
  readonly userId: string;
}

/** A chunk whose vector is missing. */
export interface ChunkToEmbed {
  readonly ordinal: number;
  /** Its prefix and its text. */
  readonly text: string;
  readonly tokens: number;
}

/** The terms of a chunk as they are stored. */
interface StoredTerms {
  readonly ordinal: number;
  readonly length: number;
  readonly terms: string;
  readonly frequencies: string;
}

/** Stores chunks with their terms and vectors. Deleting their ingestion deletes them. */
@Injectable()
export class ChunkRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Inserts chunks with their terms.
   * @returns the sum of their lengths in terms
   */
  async insertChunks(
    transaction: Transaction,
    owner: ChunkOwner,
    chunks: readonly ChunkDraft[],
  ): Promise<{ readonly terms: number }> {
    let terms = 0;
    for (const batch of splitBatches(chunks, ({ text, prefix }) => text.length + prefix.length)) {
      const stored = batch.map((chunk) => toStoredTerms(owner.indexId, chunk));
      await transaction.$executeRaw(chunkInsert(owner, batch));
      await transaction.$executeRaw(termsInsert(owner, stored));
      terms += stored.reduce((sum, { length }) => sum + length, 0);
    }
    return { terms };
  }

  /**
   * Inserts the vectors of consecutive chunks, and their signs.
   * @param first ordinal of the chunk of the first vector
   * @param vectors normalized to length 1
   */
  async insertEmbeddings(
    transaction: Transaction,
    owner: ChunkOwner,
    first: number,
    vectors: readonly (readonly number[])[],
  ): Promise<void> {
    let next = first;
    // About 20 characters a value, and one for its sign.
    for (const batch of splitBatches(vectors, ({ length }) => 21 * length)) {
      await transaction.$executeRaw(embeddingInsert(owner, next, batch));
      next += batch.length;
    }
  }

  /** Returns the next chunks of an ingestion after an ordinal, in order. */
  async listChunksToEmbed(
    { id, userId }: Pick<ChunkOwner, 'id' | 'userId'>,
    afterOrdinal: number,
    limit: number,
  ): Promise<ChunkToEmbed[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<ChunkToEmbed[]>`
        SELECT chunks.ordinal, chunks.tokens,
          CASE WHEN chunks.prefix = '' THEN chunks.text ELSE chunks.prefix || E'\n' || chunks.text END AS text
        FROM chunks JOIN ingestions ON ingestions.id = chunks.ingestion_id
        WHERE chunks.ingestion_id = ${id}::uuid AND ingestions.user_id = ${userId}::uuid
          AND chunks.ordinal > ${afterOrdinal}::int
        ORDER BY chunks.ordinal LIMIT ${limit}::int`,
    );
  }
}

function toStoredTerms(indexId: string, { ordinal, prefix, text }: ChunkDraft): StoredTerms {
  const { frequencies, length } = termFrequencies(prefix === '' ? text : `${prefix}\n${text}`);
  // Two terms may have the same hash.
  const byHash = new Map<number, number>();
  for (const [term, frequency] of frequencies) {
    const hash = hashTerm(indexId, term);
    byHash.set(hash, Math.min(MAX_FREQUENCY, (byHash.get(hash) ?? 0) + frequency));
  }
  const hashes = Int32Array.from(byHash.keys()).sort();
  return {
    ordinal,
    length,
    terms: toArrayLiteral(hashes),
    frequencies: toArrayLiteral(Array.from(hashes, (hash) => byHash.get(hash) ?? 0)),
  };
}

function chunkInsert({ id }: ChunkOwner, chunks: readonly ChunkDraft[]): Prisma.Sql {
  // Rows of a table are -1 if there are none, because the elements of an array parameter cannot be null.
  return Prisma.sql`
    INSERT INTO chunks (ingestion_id, ordinal, page, start, "end", text, prefix, tokens, first_row, last_row)
    SELECT ${id}::uuid, ordinal, page, start, finish, text, prefix, tokens, NULLIF(first_row, -1), NULLIF(last_row, -1)
    FROM unnest(
      ${chunks.map(({ ordinal }) => ordinal)}::int[], ${chunks.map(({ page }) => page)}::int[],
      ${chunks.map(({ start }) => start)}::int[], ${chunks.map(({ end }) => end)}::int[],
      ${chunks.map(({ text }) => text)}::text[], ${chunks.map(({ prefix }) => prefix)}::text[],
      ${chunks.map(({ tokens }) => tokens)}::int[],
      ${chunks.map(({ rows }) => rows?.first ?? -1)}::int[], ${chunks.map(({ rows }) => rows?.last ?? -1)}::int[]
    ) AS new (ordinal, page, start, finish, text, prefix, tokens, first_row, last_row)`;
}

function termsInsert({ id, indexId, userId }: ChunkOwner, stored: readonly StoredTerms[]): Prisma.Sql {
  return Prisma.sql`
    INSERT INTO chunk_terms (ingestion_id, ordinal, index_id, user_id, length, terms, frequencies)
    SELECT ${id}::uuid, ordinal, ${indexId}::uuid, ${userId}::uuid, length, terms::int[], frequencies::smallint[]
    FROM unnest(
      ${stored.map(({ ordinal }) => ordinal)}::int[], ${stored.map(({ length }) => length)}::int[],
      ${stored.map(({ terms }) => terms)}::text[], ${stored.map(({ frequencies }) => frequencies)}::text[]
    ) AS new (ordinal, length, terms, frequencies)`;
}

function embeddingInsert(
  { id, indexId, userId }: ChunkOwner,
  first: number,
  vectors: readonly (readonly number[])[],
): Prisma.Sql {
  return Prisma.sql`
    WITH new AS MATERIALIZED (
      SELECT ${first}::int + (place - 1)::int AS ordinal, embedding::real[] AS embedding, bits::varbit AS bits
      FROM unnest(${vectors.map(toArrayLiteral)}::text[], ${vectors.map(toSignBits)}::text[])
        WITH ORDINALITY AS given (embedding, bits, place)
    ), embeddings AS (
      INSERT INTO chunk_embeddings (ingestion_id, ordinal, index_id, user_id, dimensions, embedding)
      SELECT ${id}::uuid, ordinal, ${indexId}::uuid, ${userId}::uuid, cardinality(embedding), embedding FROM new
    )
    INSERT INTO chunk_signs (ingestion_id, ordinal, index_id, user_id, bits)
    SELECT ${id}::uuid, ordinal, ${indexId}::uuid, ${userId}::uuid, bits FROM new`;
}

/** Splits rows into the batches of a statement each. */
function* splitBatches<Row>(rows: readonly Row[], charactersOf: (row: Row) => number): Generator<Row[]> {
  let batch: Row[] = [];
  let characters = 0;
  for (const row of rows) {
    const more = charactersOf(row);
    if (
      batch.length >= INSERT_BATCH.rows ||
      (batch.length > 0 && characters + more > INSERT_BATCH.characters)
    ) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(row);
    characters += more;
  }
  if (batch.length > 0) yield batch;
}
