import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import { PrismaService } from '../../../infra/database/index.js';
import { assertNotGenerating } from '../messages/message-tree.repository.js';
import type { ListRange } from '../conversations/conversation.repository.js';
import { EmptyConversationError } from './share.errors.js';

/** A stored share. */
export interface StoredShare {
  readonly id: string;
  readonly title: string;
  /** The last message that it shows. */
  readonly messageId: string;
  readonly createdAt: Date;
}

/** A share that was opened by its link. */
export interface OpenedShare extends StoredShare {
  readonly conversationId: string;
}

/** A message as shown to the public. */
export interface SharedMessage {
  readonly id: string;
  readonly role: 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly model: string | null;
  readonly toolCalls: unknown;
  readonly toolCallId: string | null;
  readonly createdAt: Date;
}

const SHARE = { id: true, title: true, messageId: true, createdAt: true } as const;

/** Stores shares. Queries of owners filter by owner; only a link itself is looked up by its hash alone. */
@Injectable()
export class ShareRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Shares the path that is currently active.
   * @throws NotFoundError
   * @throws ConversationBusyError
   * @throws NothingToShareError
   */
  insert(share: {
    readonly id: string;
    readonly userId: string;
    readonly conversationId: string;
    readonly hash: Uint8Array<ArrayBuffer>;
  }): Promise<StoredShare> {
    const { conversationId, userId } = share;
    return this.prisma.transaction(async (transaction) => {
      // A turn locks this row before it stores anything: none can begin between here and the insert, so the path ends
      // with an answer that has ended.
      const [conversation] = await transaction.$queryRaw<{ title: string; messageId: string | null }[]>`
        SELECT title, leaf_message_id AS "messageId" FROM conversations
        WHERE id = ${conversationId}::uuid AND user_id = ${userId}::uuid
        FOR NO KEY UPDATE`;
      if (conversation === undefined) throw new NotFoundError('conversation', conversationId);
      await assertNotGenerating(transaction, conversationId);
      const { title, messageId } = conversation;
      if (messageId === null) throw new EmptyConversationError();
      return transaction.share.create({ data: { ...share, title, messageId }, select: SHARE });
    });
  }

  /** Lists shares, newest first, without revoked ones. */
  listShares(userId: string, conversationId: string, { limit, after }: ListRange): Promise<StoredShare[]> {
    return this.prisma.run((client) =>
      client.share.findMany({
        where: { userId, conversationId, revokedAt: null, ...(after !== undefined && { id: { lt: after } }) },
        orderBy: { id: 'desc' },
        take: limit,
        select: SHARE,
      }),
    );
  }

  /** @returns whether the share existed */
  async revoke(userId: string, conversationId: string, id: string): Promise<boolean> {
    const { count } = await this.prisma.run((client) =>
      client.share.updateMany({
        where: { id, conversationId, userId, revokedAt: null },
        data: { revokedAt: new Date() },
      }),
    );
    return count === 1;
  }

  /** Finds the share of a link; null if it is unknown or revoked. */
  open(hash: Uint8Array<ArrayBuffer>): Promise<OpenedShare | null> {
    return this.prisma.run((client) =>
      client.share.findFirst({
        where: { hash, revokedAt: null },
        select: { ...SHARE, conversationId: true },
      }),
    );
  }

  /**
   * Returns the path to the last message of a share, oldest first, without empty messages: `limit` of them after the
   * one with the id `after`. Follows parents from the last message until one is on the currently active path; from
   * there on the path is an index range, because positions increase along a path. So a page costs as many steps as
   * the share is away from the active path, usually none.
   */
  async messages(
    { conversationId, messageId }: OpenedShare,
    { limit, after }: ListRange,
  ): Promise<SharedMessage[] | undefined> {
    const from = after === undefined ? -1 : await this.position(conversationId, after);
    if (from === undefined) return undefined;
    return this.prisma.run(
      (client) => client.$queryRaw<SharedMessage[]>`
        WITH RECURSIVE branch AS (
          SELECT id, parent_id, position, active FROM messages
          WHERE conversation_id = ${conversationId}::uuid AND id = ${messageId}::uuid
          UNION ALL
          SELECT parent.id, parent.parent_id, parent.position, parent.active
          FROM branch JOIN messages parent ON parent.conversation_id = ${conversationId}::uuid AND parent.id = branch.parent_id
          WHERE NOT branch.active AND branch.position > ${from}::int
        ), page AS (
          (SELECT id, position FROM messages
            WHERE conversation_id = ${conversationId}::uuid AND active AND position > ${from}::int
              AND position <= (SELECT position FROM branch WHERE active)
              AND (content <> '' OR tool_calls IS NOT NULL)
            ORDER BY position LIMIT ${limit}::int)
          UNION ALL
          (SELECT branch.id, branch.position FROM branch JOIN messages USING (id)
            WHERE NOT branch.active AND branch.position > ${from}::int
              AND (content <> '' OR tool_calls IS NOT NULL)
            ORDER BY branch.position LIMIT ${limit}::int)
        )
        SELECT messages.id, role::text AS role, content, model, tool_calls AS "toolCalls", tool_call_id AS "toolCallId",
          created_at AS "createdAt"
        FROM page JOIN messages USING (id)
        ORDER BY messages.position LIMIT ${limit}::int`,
    );
  }

  private async position(conversationId: string, id: string): Promise<number | undefined> {
    const message = await this.prisma.run((client) =>
      client.message.findFirst({ where: { id, conversationId }, select: { position: true } }),
    );
    return message?.position;
  }
}
