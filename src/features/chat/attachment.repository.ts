import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { PrismaService, type Transaction } from '../../infra/database/index.js';

/** A file that a message was sent with. */
export interface StoredAttachment {
  readonly messageId: string;
  /** Null where the file has been deleted since. */
  readonly fileId: string | null;
  readonly name: string;
  readonly mediaType: string;
}

/** The files of messages. */
@Injectable()
export class AttachmentRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Those of the messages, in the order in which they were named; only where the messages are the user's. */
  of(userId: string, messageIds: readonly string[]): Promise<StoredAttachment[]> {
    return this.prisma.run((client) =>
      client.attachment.findMany({
        where: { userId, messageId: { in: [...messageIds] } },
        orderBy: [{ messageId: 'asc' }, { ordinal: 'asc' }],
        select: { messageId: true, fileId: true, name: true, mediaType: true },
      }),
    );
  }
}

/**
 * Stores which files a message comes with. The lock of FOR KEY SHARE waits for whoever deletes one of them just now, and
 * does not find it then; who comes to delete one later waits for this transaction.
 * @throws NotFoundError where one of them is not, or no longer, the user's
 */
export async function attachFiles(
  transaction: Transaction,
  {
    userId,
    messageId,
    fileIds,
  }: { readonly userId: string; readonly messageId: string; readonly fileIds: readonly string[] },
): Promise<void> {
  if (fileIds.length === 0) return;
  const attached = await transaction.$queryRaw<{ id: string }[]>`
    INSERT INTO attachments (message_id, ordinal, user_id, file_id, name, media_type)
    SELECT ${messageId}::uuid, asked.ordinal - 1, files.user_id, files.id, files.name, files.media_type
    FROM unnest(${fileIds}::uuid[]) WITH ORDINALITY AS asked(id, ordinal)
    JOIN files ON files.id = asked.id AND files.user_id = ${userId}::uuid
    FOR KEY SHARE OF files
    RETURNING file_id AS id`;
  const found = new Set(attached.map(({ id }) => id));
  const missing = fileIds.find((id) => !found.has(id.toLowerCase()));
  if (missing !== undefined) throw new NotFoundError('file', missing);
}
