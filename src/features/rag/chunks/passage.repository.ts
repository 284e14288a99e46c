import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { isReadable, type SearchAccess } from './access.sql.js';
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
    const rows = await this.prisma.query<PassageRow>(text, values);
    return rows.map(({ firstRow, lastRow, ...passage }) => ({
      ...passage,
      key: packKey(passage),
      rows: firstRow === null || lastRow === null ? null : { first: firstRow, last: lastRow },
    }));
  }
}

function passagesQuery(access: SearchAccess, keys: readonly ChunkKey[]): Prisma.Sql {
  return Prisma.sql`
    SELECT chunks.ingestion_id AS "ingestionId", chunks.ordinal, ingestions.document_id AS "documentId",
      collections.id AS "collectionId", ingestions.title,
      CASE WHEN files.text_format = 'pdf' THEN chunks.page END AS page,
      chunks.start, chunks."end", chunks.text, chunks.prefix, chunks.first_row AS "firstRow", chunks.last_row AS "lastRow"
    FROM unnest(
      ${keys.map(({ ingestionId }) => ingestionId)}::uuid[], ${keys.map(({ ordinal }) => ordinal)}::int[]
    ) AS key (ingestion_id, ordinal)
    JOIN chunks ON chunks.ingestion_id = key.ingestion_id AND chunks.ordinal = key.ordinal
    JOIN ingestions ON ingestions.id = chunks.ingestion_id AND ingestions.visible
    JOIN collection_indexes ON collection_indexes.id = ingestions.index_id
    JOIN collections ON collections.id = collection_indexes.collection_id
    JOIN files ON files.id = ingestions.file_id AND (files.expires_at IS NULL OR files.expires_at > now())
    WHERE ${isReadable(access)}`;
}
