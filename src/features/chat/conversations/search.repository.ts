import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { CONVERSATION_COLUMNS, type ConversationRow, type Slice } from './conversation.repository.js';

/** What is searched for, and where. */
export interface Search {
  /** As the user wrote it. The database alone makes a query of it. */
  readonly words: string;
  /** Only archived ones, or only the others; undefined for both. */
  readonly archived: boolean | undefined;
  /** Only pinned ones, or those that are not too. */
  readonly pinned: boolean;
}

/** A message that matches, as far as it is searched. */
export interface FoundMessage {
  readonly conversationId: string;
  readonly id: string;
  readonly text: string;
}

/** How much of a message is searched, in characters: what the function `search_normal_form` takes. */
const SEARCHED_LENGTH = 40_000;

/**
 * Full-text search. What is found is in `message_words` and `title_words`, which triggers keep up to date; an answer is
 * there when it has ended. A test looks at the plans.
 */
@Injectable()
export class SearchRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Conversations whose title or one of whose messages has all the words, newest first. */
  conversations(userId: string, search: Search, slice: Slice): Promise<ConversationRow[]> {
    return this.prisma.run((client) =>
      client.$queryRaw<ConversationRow[]>(conversationsQuery(userId, search, slice)),
    );
  }

  /** The conversations among these whose title has all the words. */
  async titles(userId: string, words: string, ids: readonly string[]): Promise<string[]> {
    const found = await this.prisma.run(
      (client) => client.$queryRaw<{ id: string }[]>`
        SELECT conversation_id AS id FROM title_words
        WHERE user_id = ${userId}::uuid AND conversation_id = ANY(${ids}::uuid[])
          AND words @@ search_query(${userId}::uuid, ${words})`,
    );
    return found.map(({ id }) => id);
  }

  /** The first messages of each of these conversations that have all the words, oldest first. */
  messages(
    userId: string,
    words: string,
    ids: readonly string[],
    eachAtMost: number,
  ): Promise<FoundMessage[]> {
    return this.prisma.run((client) =>
      client.$queryRaw<FoundMessage[]>(messagesQuery(userId, words, ids, eachAtMost)),
    );
  }
}

/** The statement by which conversations are found. */
export function conversationsQuery(
  userId: string,
  { words, archived, pinned }: Search,
  { limit, after }: Slice,
): Prisma.Sql {
  const found = Prisma.sql`user_id = ${userId}::uuid AND words @@ search_query(${userId}::uuid, ${words})
    ${after === undefined ? Prisma.empty : Prisma.sql`AND conversation_id < ${after}::uuid`}`;
  return Prisma.sql`
    WITH found AS (
      SELECT conversation_id AS id FROM message_words WHERE ${found}
      UNION
      SELECT conversation_id FROM title_words WHERE ${found}
    )
    SELECT ${CONVERSATION_COLUMNS} FROM conversations
    WHERE id IN (SELECT id FROM found) AND user_id = ${userId}::uuid
      ${archived === undefined ? Prisma.empty : Prisma.sql`AND archived = ${archived}`}
      ${pinned ? Prisma.sql`AND pinned` : Prisma.empty}
    ORDER BY id DESC LIMIT ${limit}::int`;
}

/** The statement by which their messages are found. Texts are read only of those that are shown. */
export function messagesQuery(
  userId: string,
  words: string,
  ids: readonly string[],
  eachAtMost: number,
): Prisma.Sql {
  return Prisma.sql`
    WITH found AS (
      SELECT message_id AS id, conversation_id, position,
        row_number() OVER (PARTITION BY conversation_id ORDER BY position) AS place
      FROM message_words
      WHERE user_id = ${userId}::uuid AND conversation_id = ANY(${ids}::uuid[])
        AND words @@ search_query(${userId}::uuid, ${words})
    )
    SELECT found.conversation_id AS "conversationId", found.id, left(messages.content, ${SEARCHED_LENGTH}::int) AS text
    FROM found JOIN messages ON messages.id = found.id
    WHERE found.place <= ${eachAtMost}::int AND messages.user_id = ${userId}::uuid
    ORDER BY found.conversation_id, found.position`;
}
