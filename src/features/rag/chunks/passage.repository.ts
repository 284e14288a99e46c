import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { type SearchAccess, withReadableIndexes } from './access.sql.js';
import { type ChunkKey, packKey } from './postings.js';

/** A passage as it is shown. */
export interface Passage extends ChunkKey {
  /** Its key in packed form. */
  readonly key: string;
  readonly documentId: string;
  readonly collectionId: string;
  readonly title: string;
  /** From 1; null if the format of the document has no pages. */
  readonly page: number | null;
  /** Span in the text of the page, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Text that was indexed before it, such as the header of its table. */
  readonly prefix: string;
  /** Rows of a table, from 1 after the header; null if it is not part of one. */
  readonly rows: { readonly first: number; readonly last: number } | null;
}

interface PassageRow extends Omit<Passage, 'key' | 'rows'> {
  readonly firstRow: number | null;
  readonly lastRow: number | null;
}

/** Reads the passages that a search has found. */
@Injectable()
export class PassageRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Returns the passages of chunks, in any order. Chunks that the account may no longer read or that were replaced or
   * deleted meanwhile, or whose file has expired, are missing. All come from one state of the database: of a document that is being replaced, either
   * the old ones or the new ones.
   */
  async readPassages(access: SearchAccess, keys: readonly ChunkKey[]): Promise<Passage[]> {
    const { text, values } = passagesQuery(access, keys);
    const rows = await this.prisma.query<PassageRow>(text, values, { isPrepared: true });
    return rows.map(({ firstRow, lastRow, ...passage }) => ({
      ...passage,
      key: packKey(passage),
      rows: firstRow === null || lastRow === null ? null : { first: firstRow, last: lastRow },
    }));
  }
}

function passagesQuery(access: SearchAccess, keys: readonly ChunkKey[]): Prisma.Sql {
  // OFFSET has the planner begin with the keys, which are few. It may otherwise begin with all ingestions of an index.
  return Prisma.sql`
    ${withReadableIndexes(access)}
    SELECT chunk.ingestion_id AS "ingestionId", chunk.ordinal, ingestion.document_id AS "documentId",
      readable.collection_id AS "collectionId", ingestion.title,
      CASE WHEN file.text_format = 'pdf' THEN chunk.page END AS page,
      chunk.start, chunk."end", chunk.text, chunk.prefix, chunk.first_row AS "firstRow", chunk.last_row AS "lastRow"
    FROM unnest(
      ${keys.map(({ ingestionId }) => ingestionId)}::uuid[], ${keys.map(({ ordinal }) => ordinal)}::int[]
    ) AS key (ingestion_id, ordinal)
    CROSS JOIN LATERAL (
      SELECT * FROM chunks WHERE ingestion_id = key.ingestion_id AND ordinal = key.ordinal OFFSET 0
    ) AS chunk
    CROSS JOIN LATERAL (
      SELECT document_id, index_id, file_id, title FROM ingestions
      WHERE id = chunk.ingestion_id AND visible OFFSET 0
    ) AS ingestion
    JOIN readable ON readable.id = ingestion.index_id
    CROSS JOIN LATERAL (
      SELECT text_format FROM files
      WHERE id = ingestion.file_id AND (expires_at IS NULL OR expires_at > now()) OFFSET 0
    ) AS file`;
}
