import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { READABLE_INDEX_IDS, withReadableIndexes } from './access.sql.js';
import { type IndexTerm, Postings, toKeyArrays } from './postings.js';
import {
  FREQUENCY,
  frequencyOf,
  hashesByIndex,
  PACKED_ORDINAL,
  PACKED_POSTING,
  countPackedFrequencies,
  packFrequencies,
  storedFrequency,
  wantedTerms,
} from './postings.sql.js';
import { isPreparable, isInDocuments, type SearchScope } from './search-scope.repository.js';
import { toArrayLiteral } from './vector-codec.js';

/** Chunks with a term. */
export interface TermPostings {
  /** Position of the term among those that were asked for. */
  readonly term: number;
  readonly postings: Postings;
}

/** Chunks of a scope with a term. */
export interface CountedPostings extends TermPostings {
  /** Number of chunks of the index with the term, whether they are in the scope or not; an estimate if not all were read. */
  readonly chunks: number;
  /** True if all chunks with the term were read. */
  readonly isComplete: boolean;
}

/** Two terms of one index. */
export interface TermPair {
  readonly indexId: string;
  readonly hashes: readonly [number, number];
  /** Maximum number of chunks that are read, an arbitrary part. */
  readonly cap: number;
}

/** Chunks with both terms of a pair. */
export interface PairPostings {
  /** Position of the pair among those that were asked for. */
  readonly pair: number;
  /** The chunks with the frequencies of the first and of the second term. */
  readonly postings: readonly Postings[];
}

/** An intersection of terms. */
export interface TermList {
  readonly indexId: string;
  readonly hashes: readonly number[];
}

/** One chunk in this many is in the sample that document frequencies are estimated from. */
const SAMPLE_INTERVAL = 128;

/**
 * Least number of sampled chunks with a term whose number is reused. Such a term never counts as rare. Counting the sampled
 * chunks of frequent terms takes most of the time, and questions share them.
 */
const MIN_REUSED_COUNT = 24;

/** Time for which a number of sampled chunks is reused, in milliseconds. */
const REUSE_MS = 10_000;

/** Maximum number of terms whose numbers are in memory. */
const MAX_REUSED_TERMS = 20_000;

/** Maximum number of terms of a statement that is prepared, so that long questions do not use up the names. */
const MAX_PREPARED_TERMS = 16;

/** Stands for a number of sampled chunks that is counted by the statement. */
const UNKNOWN_COUNT = -1;

/** Condition that a chunk is in the sample: that of the index `chunk_terms_sample_idx`. */
const IS_SAMPLED = Prisma.sql`((chunk_terms.ordinal + get_byte(uuid_send(chunk_terms.ingestion_id), 15)) % 128) = 0`;

/** Reads in which chunks terms occur. */
@Injectable()
export class LexicalSearchRepository {
  /** Numbers of sampled chunks with frequent terms, by index and hash. */
  private readonly sampled = new LRUCache<string, number>({ max: MAX_REUSED_TERMS, ttl: REUSE_MS });

  constructor(private readonly prisma: PrismaService) {}

  /** Returns all chunks with each term of a scope whose ingestions are listed. */
  findListed(scope: SearchScope, terms: readonly IndexTerm[]): Promise<TermPostings[]> {
    return this.select(Prisma.sql`
      ${withReadableIndexes(scope.access)}
      SELECT wanted.slot::int AS slot, string_agg(${PACKED_POSTING}, ''::bytea) AS postings
      FROM ${wantedTerms(terms)} CROSS JOIN LATERAL (
        SELECT chunk_terms.ingestion_id, chunk_terms.ordinal, chunk_terms.length, ${FREQUENCY} AS frequency
        FROM chunk_terms
        WHERE chunk_terms.terms[width_bucket(wanted.hash, chunk_terms.terms)] = wanted.hash
          AND chunk_terms.index_id = wanted.index_id AND ${isInDocuments(scope, 'chunk_terms')}) AS found
      WHERE wanted.index_id = ANY(${READABLE_INDEX_IDS})
      GROUP BY wanted.slot`);
  }

  /**
   * Returns the chunks of a scope with each term, and of terms of more chunks than some number an estimate of theirs.
   * Only the latter is fast for frequent terms, because an index scan of a term begins with the set of all its chunks.
   * @param rare estimated number of chunks up to which they are returned
   * @param cap maximum number of chunks of the index that are read for a term, an arbitrary part
   */
  async findRare(
    scope: SearchScope,
    terms: readonly IndexTerm[],
    rare: number,
    cap: number,
  ): Promise<CountedPostings[]> {
    const maxSampled = Math.floor(rare / SAMPLE_INTERVAL);
    const cached = terms.map((term) => this.sampled.get(toTermKey(term)) ?? UNKNOWN_COUNT);
    const { text, values } = Prisma.sql`
      ${withReadableIndexes(scope.access)}, wanted AS MATERIALIZED (
        SELECT wanted.*, CASE WHEN known.count >= 0 THEN known.count ELSE (
          SELECT count(*)::int FROM chunk_terms
          WHERE chunk_terms.terms @> ARRAY[wanted.hash] AND ${IS_SAMPLED}) END AS sampled
        FROM ${wantedTerms(terms)}
        JOIN unnest(${cached}::int[]) WITH ORDINALITY AS known (count, slot) USING (slot)
        WHERE wanted.index_id = ANY(${READABLE_INDEX_IDS}))
      SELECT wanted.slot::int AS slot, wanted.sampled, count(found.ingestion_id)::int AS chunks,
        COALESCE(string_agg(${PACKED_POSTING}, ''::bytea) FILTER (WHERE found.is_searched), ''::bytea) AS postings
      FROM wanted LEFT JOIN LATERAL (
        ${chunksOfTerm(scope)}
        -- No row is read if there are too many.
        LIMIT CASE WHEN wanted.sampled > ${maxSampled}::int THEN 0 ELSE ${cap}::int END) AS found ON TRUE
      GROUP BY wanted.slot, wanted.sampled`;
    const rows = await this.prisma.query<CountedRow & { readonly sampled: number }>(text, values, {
      isPrepared: isPreparable(scope),
    });
    return rows.map(({ sampled, ...row }) => {
      const term = terms[row.slot - 1];
      // A number that was reused itself is not stored again: it would never expire while searches overlap.
      const isNew = cached[row.slot - 1] === UNKNOWN_COUNT;
      if (term !== undefined && isNew && sampled >= MIN_REUSED_COUNT)
        this.sampled.set(toTermKey(term), sampled);
      return sampled > maxSampled
        ? { ...toCounted(row, cap), chunks: sampled * SAMPLE_INTERVAL, isComplete: false }
        : toCounted(row, cap);
    });
  }

  /**
   * Returns the chunks of a scope with each term, and those with both terms of each pair.
   * @param cap maximum number of chunks of the index that are read for a term, an arbitrary part
   */
  async findPostings(
    scope: SearchScope,
    terms: readonly IndexTerm[],
    cap: number,
    pairs: readonly TermPair[],
  ): Promise<{ readonly terms: CountedPostings[]; readonly pairs: PairPostings[] }> {
    const { text, values } = Prisma.sql`
      ${withReadableIndexes(scope.access)}
      SELECT wanted.slot::int AS slot, FALSE AS "isPair", count(*)::int AS chunks,
        COALESCE(string_agg(${PACKED_POSTING}, ''::bytea) FILTER (WHERE found.is_searched), ''::bytea) AS postings
      FROM ${wantedTerms(terms)} CROSS JOIN LATERAL (${chunksOfTerm(scope)} LIMIT ${cap}::int) AS found
      WHERE wanted.index_id = ANY(${READABLE_INDEX_IDS})
      GROUP BY wanted.slot
      ${pairs.length === 0 ? Prisma.empty : Prisma.sql`UNION ALL ${chunksOfPairs(scope, pairs)}`}`;
    const rows = await this.prisma.query<CountedRow & { readonly isPair: boolean }>(text, values, {
      isPrepared: isPreparable(scope),
    });
    return {
      terms: rows.flatMap(({ isPair, ...row }) => (isPair ? [] : [toCounted(row, cap)])),
      pairs: rows.flatMap(({ isPair, slot, postings }) =>
        isPair ? [{ pair: slot - 1, postings: Postings.ofTerms(postings, 2, 2) }] : [],
      ),
    };
  }

  /**
   * Returns some chunks of a scope with each term.
   * @param cap maximum number of chunks of a term, an arbitrary part
   */
  findSome(scope: SearchScope, terms: readonly IndexTerm[], cap: number): Promise<TermPostings[]> {
    return this.select(Prisma.sql`
      ${withReadableIndexes(scope.access)}
      SELECT wanted.slot::int AS slot, string_agg(${PACKED_POSTING}, ''::bytea) AS postings
      FROM ${wantedTerms(terms)} CROSS JOIN LATERAL (
        SELECT chunk_terms.ingestion_id, chunk_terms.ordinal, chunk_terms.length, ${FREQUENCY} AS frequency
        FROM chunk_terms
        WHERE chunk_terms.terms @> ARRAY[wanted.hash] AND chunk_terms.index_id = wanted.index_id
          AND ${isInDocuments(scope, 'chunk_terms')}
        LIMIT ${cap}::int) AS found
      WHERE wanted.index_id = ANY(${READABLE_INDEX_IDS})
      GROUP BY wanted.slot`);
  }

  /**
   * Returns which of some chunks have each term. Chunks that have all the terms of one of several lists are added to them.
   * @param terms the places of each term in the indexes
   * @param keys packed keys of the chunks
   * @param cap maximum number of chunks that each list adds
   */
  async findTermsOf(
    scope: SearchScope,
    terms: readonly (readonly IndexTerm[])[],
    keys: readonly string[],
    lists: readonly TermList[],
    cap: number,
  ): Promise<TermPostings[]> {
    const { ids, ordinals } = toKeyArrays(keys);
    const packed = countPackedFrequencies(terms.length);
    // Filled up, so that questions with about as many terms have the same statement.
    const filled = Array.from({ length: packed }, (_, term) => terms[term] ?? []);
    const frequencies = filled.map((_places, term) => storedFrequency(Prisma.raw(`wanted.hash${term}`)));
    const { text, values } = Prisma.sql`
      ${withReadableIndexes(scope.access)}, wanted AS MATERIALIZED (${hashesByIndex(scope, filled)}),
      keys AS MATERIALIZED (
        SELECT * FROM unnest(${ids}::uuid[], ${ordinals}::int[]) AS key (ingestion_id, ordinal)
        ${lists.length === 0 ? Prisma.empty : Prisma.sql`UNION ${intersections(scope, lists, cap)}`})
      SELECT string_agg(
        uuid_send(keys.ingestion_id) || ${PACKED_ORDINAL} || ${packFrequencies(frequencies)}, ''::bytea
      ) AS postings
      FROM keys
      -- OFFSET has the planner begin with the keys.
      CROSS JOIN LATERAL (
        SELECT * FROM chunk_terms WHERE ingestion_id = keys.ingestion_id AND ordinal = keys.ordinal OFFSET 0
      ) AS chunk_terms
      JOIN wanted ON wanted.index_id = chunk_terms.index_id`;
    const [row] = await this.prisma.query<{ postings: Buffer | null }>(text, values, {
      isPrepared: isPreparable(scope) && packed <= MAX_PREPARED_TERMS,
    });
    const { postings } = row ?? {};
    if (!postings) return [];
    return Postings.ofTerms(postings, terms.length, packed).map((found, term) => ({
      term,
      postings: found,
    }));
  }

  /** Runs a statement that returns the position of each term, from 1, and its chunks. */
  private async select({ text, values }: Prisma.Sql): Promise<TermPostings[]> {
    const rows = await this.prisma.query<{ slot: number; postings: Buffer }>(text, values);
    return rows.map(({ slot, postings }) => ({ term: slot - 1, postings: new Postings(postings) }));
  }
}

interface CountedRow {
  readonly slot: number;
  readonly chunks: number;
  readonly postings: Buffer;
}

function toCounted({ slot, chunks, postings }: CountedRow, cap: number): CountedPostings {
  return { term: slot - 1, chunks, isComplete: chunks < cap, postings: new Postings(postings) };
}

function toTermKey({ indexId, hash }: IndexTerm): string {
  return `${indexId} ${hash}`;
}

/** Returns the query for the chunks with a wanted term. The set of them comes from the GIN index. */
function chunksOfTerm(scope: SearchScope): Prisma.Sql {
  // Document frequencies are those of the whole index, so chunks outside the scope are read too.
  return Prisma.sql`
    SELECT chunk_terms.ingestion_id, chunk_terms.ordinal, chunk_terms.length, ${FREQUENCY} AS frequency,
      ${isInDocuments(scope, 'chunk_terms')} AS is_searched
    FROM chunk_terms
    WHERE chunk_terms.terms @> ARRAY[wanted.hash] AND chunk_terms.index_id = wanted.index_id`;
}

function chunksOfPairs(scope: SearchScope, pairs: readonly TermPair[]): Prisma.Sql {
  return Prisma.sql`
    SELECT pair.slot::int, TRUE, count(*)::int, string_agg(${PACKED_POSTING} || int2send(found.second_frequency), ''::bytea)
    FROM unnest(
      ${pairs.map(({ hashes }) => hashes[0])}::int[], ${pairs.map(({ hashes }) => hashes[1])}::int[],
      ${pairs.map(({ indexId }) => indexId)}::uuid[], ${pairs.map(({ cap }) => cap)}::int[]
    ) WITH ORDINALITY AS pair (first, second, index_id, cap, slot)
    CROSS JOIN LATERAL (
      SELECT chunk_terms.ingestion_id, chunk_terms.ordinal, chunk_terms.length,
        ${frequencyOf(Prisma.sql`pair.first`)} AS frequency,
        ${frequencyOf(Prisma.sql`pair.second`)} AS second_frequency
      FROM chunk_terms
      WHERE chunk_terms.terms @> ARRAY[pair.first, pair.second] AND chunk_terms.index_id = pair.index_id
        AND ${isInDocuments(scope, 'chunk_terms')}
      LIMIT pair.cap) AS found
    WHERE pair.index_id = ANY(${READABLE_INDEX_IDS})
    GROUP BY pair.slot`;
}

function intersections(scope: SearchScope, lists: readonly TermList[], cap: number): Prisma.Sql {
  return Prisma.sql`
    SELECT found.ingestion_id, found.ordinal
    FROM unnest(
      ${lists.map(({ hashes }) => toArrayLiteral(hashes))}::text[], ${lists.map(({ indexId }) => indexId)}::uuid[]
    ) AS list (hashes, index_id)
    CROSS JOIN LATERAL (
      SELECT chunk_terms.ingestion_id, chunk_terms.ordinal FROM chunk_terms
      WHERE chunk_terms.terms @> list.hashes::int[] AND chunk_terms.index_id = list.index_id
        AND ${isInDocuments(scope, 'chunk_terms')}
      LIMIT ${cap}::int) AS found`;
}
