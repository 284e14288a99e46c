import { setImmediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import {
  ConversationRepository,
  type ListRange,
  type StoredConversation,
} from './conversation.repository.js';
import { type Search, SearchRepository } from './search.repository.js';
import { SearchHighlighter, type Snippet } from './search-highlighter.js';

/** Maximum number of matches shown per conversation. */
const MAX_MATCHES = 3;

/** A match in a title or a message. */
export interface Match extends Snippet {
  /** Null for the title. */
  readonly messageId: string | null;
}

/** A conversation that was found, and its matches. */
export interface FoundConversation extends StoredConversation {
  readonly matches: readonly Match[];
}

/** Searches conversations by their titles and messages. */
@Injectable()
export class SearchService {
  constructor(
    private readonly repository: SearchRepository,
    private readonly conversations: ConversationRepository,
  ) {}

  /** Finds conversations whose title or one of whose messages contains all the words, newest first. */
  async searchConversations(userId: string, search: Search, slice: ListRange): Promise<FoundConversation[]> {
    const rows = await this.repository.findConversations(userId, search, slice);
    const conversations = await this.conversations.withSummaries(userId, rows);
    const ids = conversations.map(({ id }) => id);
    const titles = new Set(await this.repository.findMatchingTitles(userId, search.words, ids));
    const messages = await this.repository.findMatchingMessages(userId, search.words, ids, MAX_MATCHES);
    const highlighter = new SearchHighlighter(search.words);
    const byConversation = Map.groupBy(messages, ({ conversationId }) => conversationId);
    const found: FoundConversation[] = [];
    for (const conversation of conversations) {
      const matches: Match[] = [];
      if (titles.has(conversation.id)) {
        matches.push({ messageId: null, ...highlighter.snippet(conversation.title) });
      }
      for (const { id, text } of byConversation.get(conversation.id) ?? []) {
        // A page may have 300 long texts to search: let other requests run in between.
        await setImmediate();
        if (matches.length < MAX_MATCHES) matches.push({ messageId: id, ...highlighter.snippet(text) });
      }
      found.push({ ...conversation, matches });
    }
    return found;
  }
}
