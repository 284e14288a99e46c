import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { CONVERSATION_COLUMNS, type ConversationRow, type ListRange } from './conversation.repository.js';

/** Search terms and filters. */
export interface Search {
  /** As the user wrote it; only the database parses it. */
  readonly words: string;
  /** True for archived conversations only, false for the others only; undefined for both. */
  readonly archived: boolean | undefined;
  /** True for pinned conversations only, false for all. */
  readonly pinned: boolean;
}

/** A matching message, as far as it is searched. */
export interface FoundMessage {
  readonly conversationId: string;
  readonly id: string;
  readonly text: string;
}

/**
 * Length of the part of a message that is searched, in characters: the limit of the function `search_form`.
 */
const SEARCHED_LENGTH = 40_000;

/**
 * Full-text search. Triggers keep the index tables `message_words` and `title_words` up to date; an answer is added
 * once it has ended. A test checks the query plans.
 */
@Injectable()
export class SearchRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Finds conversations whose title or one of whose messages contains all the words, newest first. */
  findConversations(userId: string, search: Search, slice: ListRange): Promise<ConversationRow[]> {
    return this.prisma.run((client) =>
      client.$queryRaw<ConversationRow[]>(conversationsQuery(userId, search, slice)),
    );
  }

  /** Returns those of the given conversations whose title contains all the words. */
  async findMatchingTitles(userId: string, words: string, ids: readonly string[]): Promise<string[]> {
    const found = await this.prisma.run(
      (client) => client.$queryRaw<{ id: string }[]>`
        SELECT conversation_id AS id FROM title_words
        WHERE user_id = ${userId}::uuid AND conversation_id = ANY(${ids}::uuid[])
          AND words @@ search_query(${userId}::uuid, ${words})`,
    );
    return found.map(({ id }) => id);
  }

  /** Returns the first messages of each of the given conversations that contain all the words, oldest first. */
  findMatchingMessages(
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

/** Builds the query that finds conversations. */
export function conversationsQuery(
  userId: string,
  { words, archived, pinned }: Search,
  { limit, after }: ListRange,
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

/** Builds the query that finds their messages. Reads the texts only of messages that are shown. */
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
