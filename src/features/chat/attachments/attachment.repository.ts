import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';

/** An attachment of a message. */
export interface StoredAttachment {
  readonly messageId: string;
  /** Null if the file has since been deleted. */
  readonly fileId: string | null;
  readonly name: string;
  readonly mediaType: string;
}

/** Reads the attachments of messages. `start_turn` stores them together with the messages. */
@Injectable()
export class AttachmentRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns the attachments of messages, in the order of the request; only of messages that belong to the user. */
  listAttachments(userId: string, messageIds: readonly string[]): Promise<StoredAttachment[]> {
    return this.prisma.run((client) =>
      client.attachment.findMany({
        where: { userId, messageId: { in: [...messageIds] } },
        orderBy: [{ messageId: 'asc' }, { ordinal: 'asc' }],
        select: { messageId: true, fileId: true, name: true, mediaType: true },
      }),
    );
  }
}
