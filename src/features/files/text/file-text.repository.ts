import { Injectable } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { ExtractedPage, ExtractionFailure, ExtractionWarning } from '../extraction/extracted-text.js';
import { EXTRACTION_FAILURES, TEXT_FORMATS } from '../extraction/extracted-text.js';
import type { TextRef } from './text.jobs.js';
import { parseWarnings } from './text-warnings.js';

/** Duration of a claim on a text, in seconds; a process that works on it renews it. */
export const TEXT_LEASE_SECONDS = 30;

/** Maximum duration of the transaction that stores all pages of a text, in milliseconds. */
const STORE_TIMEOUT_MS = 60_000;

/** Bounds of the pages that one statement inserts: their number, and their text in UTF-16 units. */
const INSERT_BATCH = { pages: 500, characters: 2 ** 20 } as const;

/** A text that this process is extracting. */
export interface ClaimedText extends TextRef {
  /** Fence of the claim: every write must still hold it. */
  readonly leaseId: string;
  /** Number of attempts, including this one. */
  readonly attempts: number;
  /** Time since the text was asked for. */
  readonly ageSeconds: number;
}

/** The result of extraction, with the pages and warnings of a text that is ready. */
export interface NewTextPages {
  readonly pages: readonly ExtractedPage[];
  readonly warnings: readonly ExtractionWarning[];
}

/** State of the text of a file. */
export type FileTextRow =
  /** The file has a format but no text: it was uploaded by an earlier version. */
  | { readonly status: 'missing' }
  /** The type of the file has no text. */
  | { readonly status: 'unsupported' }
  | { readonly status: 'pending'; readonly ref: TextRef; readonly isDue: boolean }
  | { readonly status: 'failed'; readonly error: ExtractionFailure }
  | {
      readonly status: 'ready';
      readonly ref: TextRef;
      readonly pageCount: number;
      readonly warnings: readonly ExtractionWarning[];
    };

interface StateRow {
  readonly hasContent: boolean;
  readonly contentId: string;
  readonly format: string | null;
  readonly status: string | null;
  readonly isDue: boolean;
  readonly error: string | null;
  readonly warnings: unknown;
  readonly pageCount: number | null;
}

/** Stores the texts of contents as rows. The row is the job that extracts a text. */
@Injectable()
export class FileTextRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns the state of the text of a file; undefined if the account has no such file, or it has expired. */
  async findText(userId: string, fileId: string): Promise<FileTextRow | undefined> {
    const [row] = await this.prisma.run(
      (client) => client.$queryRaw<StateRow[]>`
        SELECT files.content_id IS NOT NULL AS "hasContent", COALESCE(files.content_id, files.id) AS "contentId",
          files.text_format AS format, file_texts.status::text,
          COALESCE(file_texts.due_at <= now(), FALSE) AS "isDue", file_texts.error, file_texts.warnings,
          file_texts.page_count AS "pageCount"
        FROM files
        LEFT JOIN file_texts ON file_texts.content_id = files.content_id AND file_texts.format = files.text_format
          AND file_texts.user_id = files.user_id
        WHERE files.id = ${fileId}::uuid AND files.user_id = ${userId}::uuid
          AND (files.expires_at IS NULL OR files.expires_at > now())`,
    );
    return row && toTextState(userId, row);
  }

  /**
   * Claims a text that is due; undefined if it is not. Of several concurrent callers one gets it: the others wait for
   * its update and then see `due_at` in the future. Texts of a disabled account wait.
   */
  async claimText(ref: TextRef): Promise<ClaimedText | undefined> {
    const leaseId = newId();
    const [claimed] = await this.prisma.run(
      (client) => client.$queryRaw<Pick<ClaimedText, 'attempts' | 'ageSeconds'>[]>`
        UPDATE file_texts
        SET due_at = now() + make_interval(secs => ${TEXT_LEASE_SECONDS}::int), lease_id = ${leaseId}::uuid,
          attempts = attempts + 1
        FROM users
        WHERE content_id = ${ref.contentId}::uuid AND format = ${ref.format} AND user_id = ${ref.userId}::uuid
          AND status = 'pending' AND due_at <= now() AND users.id = user_id AND users.disabled_at IS NULL
        RETURNING attempts, extract(epoch FROM now() - file_texts.created_at)::float8 AS "ageSeconds"`,
    );
    return claimed && { ...ref, leaseId, ...claimed };
  }

  /**
   * Extends a claim.
   * @returns false if it is no longer valid: another process has the text, or it was deleted
   */
  async renewClaim({ contentId, format, userId, leaseId }: ClaimedText): Promise<boolean> {
    const renewed = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE file_texts SET due_at = now() + make_interval(secs => ${TEXT_LEASE_SECONDS}::int)
        WHERE content_id = ${contentId}::uuid AND format = ${format} AND user_id = ${userId}::uuid
          AND lease_id = ${leaseId}::uuid`,
    );
    return renewed === 1;
  }

  /**
   * Stores the pages of a text and makes it ready, all or nothing. Repeating it is harmless: the claim no longer holds.
   * @returns false if the claim was no longer valid; then nothing is stored
   */
  storePages(claimed: ClaimedText, { pages, warnings }: NewTextPages): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      // First the fence: this update locks the row until the commit, so that a later claim and a deletion of the
      // content wait. The deletion then removes the pages too, because its cascades see what is committed.
      const ended = await endClaim(
        transaction,
        claimed,
        Prisma.sql`status = 'ready', page_count = ${pages.length}::int, warnings = ${JSON.stringify(warnings)}::jsonb`,
      );
      if (!ended) return false;
      for (const batch of batchesOf(pages)) await insertPages(transaction, claimed, batch);
      return true;
    }, STORE_TIMEOUT_MS);
  }

  /**
   * Ends a text that cannot be extracted.
   * @returns false if the claim was no longer valid
   */
  storeFailure(claimed: ClaimedText, error: ExtractionFailure): Promise<boolean> {
    return this.prisma.run((client) =>
      endClaim(client, claimed, Prisma.sql`status = 'failed', error = ${error}`),
    );
  }

  /**
   * Releases a claim, so that any process may claim the text after `waitSeconds`.
   * @param counted false if the attempt ended for a reason that is not the document's
   * @returns false if the claim was no longer valid
   */
  async releaseClaim(
    { contentId, format, userId, leaseId }: ClaimedText,
    { waitSeconds, counted }: { readonly waitSeconds: number; readonly counted: boolean },
  ): Promise<boolean> {
    // Truncated, because the column rounds to milliseconds: rounded up, the text would not be due for the next claim.
    const released = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE file_texts
        SET due_at = date_trunc('milliseconds', now()) + make_interval(secs => ${waitSeconds}::float8), lease_id = NULL,
          attempts = attempts - CASE WHEN ${counted} THEN 0 ELSE 1 END
        WHERE content_id = ${contentId}::uuid AND format = ${format} AND user_id = ${userId}::uuid
          AND lease_id = ${leaseId}::uuid`,
    );
    return released === 1;
  }

  /** Returns texts that are due, the most overdue first. Formats of newer versions are left to those. */
  listDueTexts(limit: number): Promise<TextRef[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<TextRef[]>`
        SELECT file_texts.user_id AS "userId", content_id AS "contentId", format
        FROM file_texts JOIN users ON users.id = file_texts.user_id
        WHERE due_at <= now() AND users.disabled_at IS NULL AND format = ANY(${[...TEXT_FORMATS]})
        ORDER BY due_at LIMIT ${limit}`,
    );
  }
}

async function insertPages(
  transaction: Transaction,
  { contentId, format, userId }: ClaimedText,
  batch: readonly ExtractedPage[],
): Promise<void> {
  const [first, ...others] = batch;
  if (first === undefined) return;
  if (others.length === 0) {
    // A page may have all 20 million characters. As an element of an array it would take twice as long, too close to
    // the timeout of a statement.
    await transaction.$executeRaw`
      INSERT INTO file_pages (content_id, format, page, user_id, text)
      VALUES (${contentId}::uuid, ${format}, ${first.page}::int, ${userId}::uuid, ${first.text})`;
    return;
  }
  await transaction.$executeRaw`
    INSERT INTO file_pages (content_id, format, page, user_id, text)
    SELECT ${contentId}::uuid, ${format}, page, ${userId}::uuid, text
    FROM unnest(${batch.map(({ page }) => page)}::int[], ${batch.map(({ text }) => text)}::text[]) AS batch(page, text)`;
}

/** Ends a claim with these columns, fenced by its lease. */
async function endClaim(
  client: Pick<Transaction, '$executeRaw'>,
  { contentId, format, userId, leaseId }: ClaimedText,
  columns: Prisma.Sql,
): Promise<boolean> {
  const ended = await client.$executeRaw`
    UPDATE file_texts SET ${columns}, due_at = NULL, lease_id = NULL
    FROM users
    WHERE content_id = ${contentId}::uuid AND format = ${format} AND user_id = ${userId}::uuid
      AND lease_id = ${leaseId}::uuid AND users.id = user_id AND users.disabled_at IS NULL`;
  return ended === 1;
}

/** Divides pages into batches of bounded size. A page that is larger than the bound is a batch of its own. */
function* batchesOf(pages: readonly ExtractedPage[]): Generator<readonly ExtractedPage[]> {
  let batch: ExtractedPage[] = [];
  let characters = 0;
  for (const page of pages) {
    const isFull =
      batch.length === INSERT_BATCH.pages || characters + page.text.length > INSERT_BATCH.characters;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(page);
    characters += page.text.length;
  }
  if (batch.length > 0) yield batch;
}

function toTextState(userId: string, row: StateRow): FileTextRow {
  const { hasContent, contentId, status, isDue, error, warnings, pageCount } = row;
  if (!hasContent) return { status: 'missing' };
  if (row.format === null) return { status: 'unsupported' };
  const format = TEXT_FORMATS.find((known) => known === row.format);
  // A newer version may have formats and failures that this one does not know.
  if (format === undefined) return { status: 'unsupported' };
  const ref = { userId, contentId, format };
  switch (status) {
    case null:
      return { status: 'missing' };
    case 'ready':
      return { status: 'ready', ref, pageCount: pageCount ?? 0, warnings: parseWarnings(warnings) };
    case 'failed':
      return { status: 'failed', error: EXTRACTION_FAILURES.find((known) => known === error) ?? 'damaged' };
    default:
      return { status: 'pending', ref, isDue };
  }
}
