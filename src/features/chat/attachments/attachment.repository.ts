import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';

/** A file that a message was sent with. */
export interface StoredAttachment {
  readonly messageId: string;
  /** Null where the file has been deleted since. */
  readonly fileId: string | null;
  readonly name: string;
  readonly mediaType: string;
}

/** The files of messages. `begin_turn` writes them, with the messages. */
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
