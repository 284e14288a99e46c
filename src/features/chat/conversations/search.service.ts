import { setImmediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { ConversationRepository, type Slice, type StoredConversation } from './conversation.repository.js';
import { type Search, SearchRepository } from './search.repository.js';
import { Highlighter, type Snippet } from './search-highlighter.js';

/** How many places of a conversation are shown. */
const MAX_MATCHES = 3;

/** A place that matches. */
export interface Match extends Snippet {
  /** Null for the title. */
  readonly messageId: string | null;
}

/** A conversation that was found, and by what. */
export interface FoundConversation extends StoredConversation {
  readonly matches: readonly Match[];
}

/** Finds conversations by what was said in them. */
@Injectable()
export class SearchService {
  constructor(
    private readonly repository: SearchRepository,
    private readonly conversations: ConversationRepository,
  ) {}

  /** Conversations whose title or one of whose messages has all the words, newest first. */
  async find(userId: string, search: Search, slice: Slice): Promise<FoundConversation[]> {
    const rows = await this.repository.conversations(userId, search, slice);
    const conversations = await this.conversations.withSummaries(userId, rows);
    const ids = conversations.map(({ id }) => id);
    const titles = new Set(await this.repository.titles(userId, search.words, ids));
    const messages = await this.repository.messages(userId, search.words, ids, MAX_MATCHES);
    const highlighter = new Highlighter(search.words);
    const byConversation = Map.groupBy(messages, ({ conversationId }) => conversationId);
    const found: FoundConversation[] = [];
    for (const conversation of conversations) {
      const matches: Match[] = [];
      if (titles.has(conversation.id)) {
        matches.push({ messageId: null, ...highlighter.snippet(conversation.title) });
      }
      for (const { id, text } of byConversation.get(conversation.id) ?? []) {
        // A page may have 300 long texts to look through: others get their turn between them.
        await setImmediate();
        if (matches.length < MAX_MATCHES) matches.push({ messageId: id, ...highlighter.snippet(text) });
      }
      found.push({ ...conversation, matches });
    }
    return found;
  }
}
