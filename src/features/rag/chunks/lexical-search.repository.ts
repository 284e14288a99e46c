import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { READABLE_INDEX_IDS, withReadableIndexes } from './access.sql.js';
import { isInDocuments, type SearchScope } from './search-scope.repository.js';
import { type ChunkKey, Postings } from './postings.js';
import { toArrayLiteral } from './vector-codec.js';

/** A term of a question in one index. */
export interface IndexTerm {
  readonly indexId: string;
  readonly hash: number;
}

/** Chunks with a term. */
export interface TermPostings {
  /** Position of the term among those that were asked for. */
  readonly term: number;
  readonly postings: Postings;
}

/** Expression for a posting in the format of {@link Postings}. */
const PACKED = Prisma.sql`uuid_send(found.ingestion_id) || int4send(found.ordinal) || int4send(found.length)
  || int2send(found.frequency)`;

/** Expression for the frequency of a term in a chunk that has it: the terms are ascending, so this is a binary search. */
const FREQUENCY = Prisma.sql`chunk_terms.frequencies[width_bucket(wanted.hash, chunk_terms.terms)]`;

/** Reads in which chunks terms occur. */
@Injectable()
export class LexicalSearchRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Returns the chunks of a scope with each term.
   * @param cap maximum number of chunks of a term; those of a term with more are an arbitrary part
   */
  findPostings(scope: SearchScope, terms: readonly IndexTerm[], cap: number): Promise<TermPostings[]> {
    const found =
      scope.ingestionIds === undefined
        ? // The set of chunks of a term comes from the GIN index.
          Prisma.sql`chunk_terms.terms @> ARRAY[wanted.hash]`
        : Prisma.sql`chunk_terms.terms[width_bucket(wanted.hash, chunk_terms.terms)] = wanted.hash`;
    return this.select(Prisma.sql`
      ${withReadableIndexes(scope.access)}
      SELECT wanted.slot::int AS slot, string_agg(${PACKED}, ''::bytea) AS postings
      FROM ${wantedTerms(terms)} CROSS JOIN LATERAL (
        SELECT chunk_terms.ingestion_id, chunk_terms.ordinal, chunk_terms.length, ${FREQUENCY} AS frequency
        FROM chunk_terms
        WHERE ${found} AND chunk_terms.index_id = wanted.index_id AND ${isInDocuments(scope, 'chunk_terms')}
        LIMIT ${cap}::int) AS found
      WHERE wanted.index_id = ANY(${READABLE_INDEX_IDS})
      GROUP BY wanted.slot`);
  }

  /**
   * Returns which of some chunks have each term. Chunks that have all the terms of one of several lists are added to them.
   * @param lists terms of one index each
   * @param cap maximum number of chunks that each list adds
   */
  findTermsOf(
    scope: SearchScope,
    terms: readonly IndexTerm[],
    keys: readonly ChunkKey[],
    lists: readonly { readonly indexId: string; readonly hashes: readonly number[] }[],
    cap: number,
  ): Promise<TermPostings[]> {
    return this.select(Prisma.sql`
      ${withReadableIndexes(scope.access)}, keys AS MATERIALIZED (
        SELECT * FROM unnest(
          ${keys.map(({ ingestionId }) => ingestionId)}::uuid[], ${keys.map(({ ordinal }) => ordinal)}::int[]
        ) AS key (ingestion_id, ordinal)
        UNION
        SELECT found.ingestion_id, found.ordinal
        FROM unnest(
          ${lists.map(({ hashes }) => toArrayLiteral(hashes))}::text[], ${lists.map(({ indexId }) => indexId)}::uuid[]
        ) AS list (hashes, index_id)
        CROSS JOIN LATERAL (
          SELECT chunk_terms.ingestion_id, chunk_terms.ordinal FROM chunk_terms
          WHERE chunk_terms.terms @> list.hashes::int[] AND chunk_terms.index_id = list.index_id
            AND ${isInDocuments(scope, 'chunk_terms')}
          LIMIT ${cap}::int) AS found)
      SELECT wanted.slot::int AS slot, string_agg(${PACKED}, ''::bytea) AS postings
      FROM keys
      JOIN chunk_terms ON chunk_terms.ingestion_id = keys.ingestion_id AND chunk_terms.ordinal = keys.ordinal
      JOIN ${wantedTerms(terms)} ON wanted.index_id = chunk_terms.index_id
        AND chunk_terms.terms[width_bucket(wanted.hash, chunk_terms.terms)] = wanted.hash
      CROSS JOIN LATERAL (
        SELECT chunk_terms.ingestion_id, chunk_terms.ordinal, chunk_terms.length, ${FREQUENCY} AS frequency
      ) AS found
      WHERE chunk_terms.index_id = ANY(${READABLE_INDEX_IDS})
      GROUP BY wanted.slot`);
  }

  /** Runs a statement that returns the position of each term, from 1, and its chunks. */
  private async select({ text, values }: Prisma.Sql): Promise<TermPostings[]> {
    const rows = await this.prisma.query<{ slot: number; postings: Buffer }>(text, values);
    return rows.map(({ slot, postings }) => ({ term: slot - 1, postings: new Postings(postings) }));
  }
}

function wantedTerms(terms: readonly IndexTerm[]): Prisma.Sql {
  return Prisma.sql`unnest(
    ${terms.map(({ hash }) => hash)}::int[], ${terms.map(({ indexId }) => indexId)}::uuid[]
  ) WITH ORDINALITY AS wanted (hash, index_id, slot)`;
}
