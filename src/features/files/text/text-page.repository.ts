import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';
import type { TextRef } from './text.jobs.js';

/** Bounds of what one query reads: the number of pages, and the bytes of their text in UTF-8. */
const READ_BATCH = { pages: 200, bytes: 2 ** 20 } as const;

/** Characters of a part of a page that is larger than a batch. */
const PART_CHARACTERS = 2 ** 20;

/** Pages of a text, both counted from 1 and inclusive. */
export interface PageRange {
  readonly from: number;
  readonly to: number;
}

/** A part of a page. Parts never split a character. */
export interface PagePart {
  readonly page: number;
  readonly text: string;
  /** False if another part of the same page follows. */
  readonly isLast: boolean;
}

/** Reads the pages of texts. */
@Injectable()
export class TextPageRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Reads pages in order, a bounded amount at a time, and holds no connection between two reads. A large page comes in
   * several parts.
   * @throws Error if pages are missing, because the text was deleted in the meantime
   */
  async *readPages(ref: TextRef, { from, to }: PageRange): AsyncGenerator<PagePart> {
    let next = from;
    while (next <= to) {
      const batch = await this.readBatch(ref, { from: next, to });
      if (batch[0]?.page !== next) throw missingPages();
      for (const { page, text } of batch) {
        if (text === null) yield* this.readParts(ref, page);
        else yield { page, text, isLast: true };
        next = page + 1;
      }
    }
  }

  /** Returns the total size of the texts of files, in bytes of UTF-8. */
  async readSize(userId: string, fileIds: readonly string[]): Promise<number> {
    // The size of a text is known without reading it.
    const [row] = await this.prisma.run(
      (client) => client.$queryRaw<{ bytes: bigint }[]>`
        SELECT COALESCE(sum(octet_length(file_pages.text)), 0)::bigint AS bytes
        FROM files
        JOIN file_pages ON file_pages.content_id = files.content_id AND file_pages.format = files.text_format
          AND file_pages.user_id = files.user_id
        WHERE files.id = ANY(${[...fileIds]}::uuid[]) AND files.user_id = ${userId}::uuid`,
    );
    return Number(row?.bytes ?? 0);
  }

  /** Reads the first pages of a range; the text of a page that is larger than a batch is null. */
  private readBatch(
    { userId, contentId, format }: TextRef,
    { from, to }: PageRange,
  ): Promise<{ readonly page: number; readonly text: string | null }[]> {
    // The length of a text is known without reading it.
    return this.prisma.run(
      (client) => client.$queryRaw<{ page: number; text: string | null }[]>`
        SELECT page, CASE WHEN octet_length(text) <= ${READ_BATCH.bytes}::int THEN text END AS text
        FROM (
          SELECT page, text, sum(octet_length(text)) OVER (ORDER BY page) AS bytes FROM (
            SELECT page, text FROM file_pages
            WHERE content_id = ${contentId}::uuid AND format = ${format} AND user_id = ${userId}::uuid
              AND page BETWEEN ${from}::int AND ${to}::int
            ORDER BY page LIMIT ${READ_BATCH.pages}) AS candidates) AS measured
        WHERE bytes <= ${READ_BATCH.bytes}::int OR page = ${from}::int
        ORDER BY page`,
    );
  }

  private async *readParts(ref: TextRef, page: number): AsyncGenerator<PagePart> {
    let offset = 0;
    let isLast = false;
    while (!isLast) {
      const part = await this.readPart(ref, page, offset);
      if (part === undefined) throw missingPages();
      offset += PART_CHARACTERS;
      isLast = part.isLast;
      yield { page, ...part };
    }
  }

  private async readPart(
    { userId, contentId, format }: TextRef,
    page: number,
    offset: number,
  ): Promise<{ readonly text: string; readonly isLast: boolean } | undefined> {
    // Positions are characters and not UTF-16 units, so a part never splits a surrogate pair.
    const [part] = await this.prisma.run(
      (client) => client.$queryRaw<{ text: string; next: string }[]>`
        SELECT substr(text, ${offset + 1}::int, ${PART_CHARACTERS}::int) AS text,
          substr(text, ${offset + 1 + PART_CHARACTERS}::int, 1) AS next
        FROM file_pages
        WHERE content_id = ${contentId}::uuid AND format = ${format} AND user_id = ${userId}::uuid
          AND page = ${page}::int`,
    );
    return part && { text: part.text, isLast: part.next === '' };
  }
}

function missingPages(): Error {
  return new Error('The text was deleted while it was read.');
}
