import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import type { MetadataFilter } from '../model/filter.js';
import { isReadable, READABLE_INDEX_IDS, type SearchAccess, withReadableIndexes } from './access.sql.js';
import { filterToSql } from './filter.sql.js';

/**
 * Maximum number of chunks in a scope whose ingestions are listed. Such a scope is searched by the keys of its chunks,
 * and not through the indexes of all chunks.
 */
export const MAX_LISTED_CHUNKS = 1_500;

/**
 * Maximum number of ingestions whose ids the statements of a filtered search get, so that the filter is evaluated once.
 */
const MAX_FILTERED_IDS = 2_500;

/** Maximum number of ingestions of an index that are excluded by their ids. */
const MAX_EXCLUDED_IDS = 200;

/**
 * Time for which the counts of a large index are reused, in milliseconds; the number of chunks from which an index is large;
 * and the maximum number of indexes in memory. Counts of others are always exact, so that a first document is found as
 * soon as it is ready.
 */
const COUNTS_MS = 3_000;
const LARGE_INDEX = 10_000;
const MAX_COUNTS = 2_000;

/** An index that a search reads. */
export interface SearchedIndex {
  readonly id: string;
  readonly collectionId: string;
  /** Null for lexical search only. */
  readonly embeddingModel: string | null;
  /** Null until the first vector is stored. */
  readonly dimensions: number | null;
  /** Number of visible chunks, and the sum of their lengths in terms. At most a few seconds old. */
  readonly chunks: number;
  readonly terms: number;
}

/** Ids in PostgreSQL's binary format of the type `uuid[]`: a thousand of them go to several statements. */
export type BinaryIds = Buffer;

/** The chunks that a search reads. */
export interface SearchScope {
  readonly access: SearchAccess;
  readonly indexes: readonly SearchedIndex[];
  readonly filter: MetadataFilter | undefined;
  /** Number of visible chunks of the documents that match the filter. */
  readonly matchingChunks: number;
  /** The ids of the visible ingestions whose documents match the filter, if they have few chunks. */
  readonly ingestionIds: BinaryIds | undefined;
  /** The ids of the visible ingestions whose documents match the filter, if there is one and they are not too many. */
  readonly filteredIds: BinaryIds | undefined;
  /**
   * Ingestions that are not searched although their indexes are: not visible yet, or of files that have expired and are not
   * deleted yet. Mostly none, so that rows are not compared with anything. Undefined if there are many: the statements then
   * look them up. One that begins later is dropped by the statement that reads the passages.
   */
  readonly excludedIds: readonly string[] | undefined;
}

interface IndexRow {
  readonly id: string;
  readonly collectionId: string;
  readonly embeddingModel: string | null;
  readonly dimensions: number | null;
  readonly excluded: string | null;
}

interface IndexCounts {
  readonly chunks: number;
  readonly terms: number;
}

interface MatchRow {
  readonly chunks: string;
  readonly ids: BinaryIds | null;
}

/** Reads which chunks a search covers. */
@Injectable()
export class SearchScopeRepository {
  private readonly counts = new Map<string, IndexCounts & { readonly until: number }>();

  constructor(private readonly prisma: PrismaService) {}

  /** Returns the scope of a search. Collections that the account may not read are not part of it. */
  async readScope(access: SearchAccess, filter: MetadataFilter | undefined): Promise<SearchScope> {
    const rows = await this.readIndexes(access);
    const counts = await this.readCounts(rows.map(({ id }) => id));
    const indexes = rows.map(({ excluded: _excluded, ...row }) => ({
      ...row,
      ...(counts.get(row.id) ?? { chunks: 0, terms: 0 }),
    }));
    const excludedIds = rows.some(({ excluded }) => excluded === null)
      ? undefined
      : rows.flatMap(({ excluded }) => (excluded ?? '').split(',').filter((id) => id !== ''));
    const scope = { access, indexes, filter, excludedIds };
    const chunks = indexes.reduce((sum, index) => sum + index.chunks, 0);
    if (filter === undefined && chunks > MAX_LISTED_CHUNKS)
      return { ...scope, matchingChunks: chunks, ingestionIds: undefined, filteredIds: undefined };
    const { text, values } = matchingIngestions(scope);
    const isPrepared = filter === undefined;
    const [match] = await this.prisma.query<MatchRow>(text, values, { isPrepared });
    const matchingChunks = Number(match?.chunks ?? 0);
    const ids = match?.ids ?? undefined;
    return {
      ...scope,
      matchingChunks,
      ingestionIds: matchingChunks <= MAX_LISTED_CHUNKS ? ids : undefined,
      filteredIds: filter === undefined ? undefined : ids,
    };
  }

  private readIndexes(access: SearchAccess): Promise<IndexRow[]> {
    // OFFSET has the planner look up the ingestions of each expired file, of which there are few or none.
    const { text, values } = Prisma.sql`
      WITH expired AS MATERIALIZED (SELECT id FROM files WHERE expires_at <= now())
      SELECT collection_indexes.id, collections.id AS "collectionId",
        collection_indexes.embedding_model AS "embeddingModel", collection_indexes.dimensions,
        (SELECT CASE WHEN count(*) <= ${MAX_EXCLUDED_IDS}::int
          THEN COALESCE(string_agg(excluded.id::text, ','), '') END FROM (
          SELECT ingestions.id FROM expired CROSS JOIN LATERAL (
            SELECT id FROM ingestions
            WHERE ingestions.file_id = expired.id AND ingestions.index_id = collection_indexes.id AND visible OFFSET 0
          ) AS ingestions
          UNION ALL
          SELECT ingestions.id FROM ingestions
          WHERE ingestions.index_id = collection_indexes.id AND NOT visible AND chunked_count > 0
        ) AS excluded) AS excluded
      FROM collections JOIN collection_indexes ON collection_indexes.collection_id = collections.id
      WHERE ${isReadable(access)}
      ORDER BY collections.id`;
    return this.prisma.query<IndexRow>(text, values, { isPrepared: true });
  }

  /** Returns the counts of indexes. Adding up the ingestions of a large index takes milliseconds. */
  private async readCounts(indexIds: readonly string[]): Promise<ReadonlyMap<string, IndexCounts>> {
    const now = performance.now();
    const counts = new Map<string, IndexCounts>();
    for (const id of indexIds) {
      const known = this.counts.get(id);
      if (known !== undefined && known.until > now) counts.set(id, known);
    }
    const unknown = indexIds.filter((id) => !counts.has(id));
    if (unknown.length === 0) return counts;
    const rows = await this.prisma.query<{ id: string; chunks: string; terms: string }>(
      `SELECT index_id AS id, COALESCE(sum(chunk_count), 0) AS chunks, COALESCE(sum(term_count), 0) AS terms
      FROM ingestions WHERE index_id = ANY($1::uuid[]) AND visible GROUP BY index_id`,
      [unknown],
      { isPrepared: true },
    );
    for (const row of rows) {
      const count = { chunks: Number(row.chunks), terms: Number(row.terms) };
      counts.set(row.id, count);
      if (count.chunks < LARGE_INDEX) continue;
      if (this.counts.size >= MAX_COUNTS) this.counts.clear();
      this.counts.set(row.id, { ...count, until: now + COUNTS_MS });
    }
    return counts;
  }
}

function matchingIngestions({
  access,
  filter,
  excludedIds,
}: Pick<SearchScope, 'access' | 'filter' | 'excludedIds'>): Prisma.Sql {
  return Prisma.sql`
    ${withReadableIndexes(access)}
    SELECT COALESCE(sum(chunk_count), 0) AS chunks,
      CASE WHEN count(*) <= ${MAX_FILTERED_IDS}::int
        THEN array_send(COALESCE(array_agg(id), '{}')) END AS ids
    FROM ingestions
    WHERE index_id = ANY(${READABLE_INDEX_IDS}) AND visible AND chunk_count > 0
      AND ${isNotExcluded(excludedIds, Prisma.sql`id`)}
      ${filter === undefined ? Prisma.empty : Prisma.sql`AND ${filterToSql(filter, Prisma.sql`metadata`)}`}`;
}

/** Returns the condition that a row of a table of chunks is in a scope, for a statement with `withReadableIndexes`. */
export function isInScope(scope: SearchScope, table: string): Prisma.Sql {
  const indexId = Prisma.raw(`${table}.index_id`);
  return Prisma.sql`${indexId} = ANY(${READABLE_INDEX_IDS}) AND ${isInDocuments(scope, table)}`;
}

/**
 * Returns the condition that a row of a readable index was visible when the scope was read, and of a document that matches
 * the filter. The statement that reads the passages checks all of it again, so that what is replaced meanwhile is not shown.
 */
export function isInDocuments(scope: SearchScope, table: string): Prisma.Sql {
  const column = Prisma.raw(`${table}.ingestion_id`);
  const { filter, ingestionIds, filteredIds, excludedIds } = scope;
  // The lists have no excluded ones.
  if (ingestionIds !== undefined) return Prisma.sql`${column} = ANY(${ingestionIds}::uuid[])`;
  // Of an array the planner would estimate how frequent each element is. `IS TRUE` has it hash the ids.
  if (filteredIds !== undefined)
    return Prisma.sql`(${column} IN (SELECT unnest(${filteredIds}::uuid[]))) IS TRUE`;
  const isSearched = isNotExcluded(excludedIds, column);
  if (filter === undefined) return isSearched;
  // `IS TRUE` keeps the planner from turning the lookup into a join, which would lose the order of an index scan.
  return Prisma.sql`${isSearched} AND (${column} IN (
    SELECT id FROM ingestions
    WHERE index_id = ANY(${READABLE_INDEX_IDS}) AND visible
      AND ${filterToSql(filter, Prisma.sql`metadata`)})) IS TRUE`;
}

/**
 * Returns true if statements with `isInDocuments` can be prepared: if they do not contain the filter, as they do if too
 * many documents match it.
 */
export function isPreparable({ filter, ingestionIds, filteredIds }: SearchScope): boolean {
  return filter === undefined || ingestionIds !== undefined || filteredIds !== undefined;
}

function isNotExcluded(excluded: readonly string[] | undefined, ingestionId: Prisma.Sql): Prisma.Sql {
  if (excluded === undefined)
    return Prisma.sql`(${ingestionId} IN (
      SELECT id FROM ingestions
      WHERE index_id = ANY(${READABLE_INDEX_IDS}) AND NOT visible AND chunked_count > 0
      UNION ALL
      SELECT ingestions.id FROM files JOIN ingestions ON ingestions.file_id = files.id
      WHERE files.expires_at <= now() AND ingestions.index_id = ANY(${READABLE_INDEX_IDS}) AND visible
    )) IS NOT TRUE`;
  if (excluded.length === 0) return Prisma.sql`TRUE`;
  return Prisma.sql`(${ingestionId} IN (SELECT unnest(${[...excluded]}::uuid[]))) IS NOT TRUE`;
}
