import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';
import { TEXT_FORMATS, type TextFormat } from './extraction/extracted-text.js';
import type { FileKey } from './file.repository.js';
import { textFormatOf } from './text-format.js';
import { insertContent, insertText } from './upload.repository.js';

/** A file that has a content. */
export interface AdoptedContent {
  readonly contentId: string;
  /** Null if the file has no text that can be extracted. */
  readonly format: TextFormat | null;
  /** Bytes that nothing references any more, because an equal content existed. */
  readonly unreferenced: FileKey | undefined;
}

/** Row of a file before its content is adopted. */
interface AdoptedRow {
  readonly contentId: string | null;
  readonly format: string | null;
  readonly mediaType: string;
  readonly size: number;
  readonly hash: Uint8Array<ArrayBuffer>;
}

/** Gives files of earlier versions the content that theirs lack. */
@Injectable()
export class ContentAdoptionRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Makes sure that a file has a content, and that the job which extracts its text exists. A content made here has the
   * id of the file, because the bytes are stored under it.
   * @returns undefined if the account has no such file
   */
  adoptContent(userId: string, fileId: string): Promise<AdoptedContent | undefined> {
    return this.prisma.transaction(async (transaction) => {
      // Only one of several concurrent calls finds the file without a content.
      const [file] = await transaction.$queryRaw<AdoptedRow[]>`
        SELECT content_id AS "contentId", text_format AS format, media_type AS "mediaType", size, hash FROM files
        WHERE id = ${fileId}::uuid AND user_id = ${userId}::uuid AND (expires_at IS NULL OR expires_at > now())
        FOR NO KEY UPDATE`;
      if (file === undefined) return undefined;
      const { hash, size } = file;
      const format =
        file.contentId === null
          ? textFormatOf(file.mediaType)
          : (TEXT_FORMATS.find((known) => known === file.format) ?? null);
      const contentId =
        file.contentId ?? (await insertContent(transaction, { contentId: fileId, userId, hash, size }));
      if (file.contentId === null) {
        await transaction.$executeRaw`
          UPDATE files SET content_id = ${contentId}::uuid, text_format = ${format}
          WHERE id = ${fileId}::uuid AND user_id = ${userId}::uuid`;
      }
      if (format !== null) await insertText(transaction, userId, contentId, format);
      const isReplaced = file.contentId === null && contentId !== fileId;
      return { contentId, format, unreferenced: isReplaced ? { folder: userId, name: fileId } : undefined };
    });
  }
}
