import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import { PassageFinder } from '../../rag/index.js';
import { type AnswerSources, toStoredRetrieval } from '../model/answer-sources.js';
import { AttachmentService } from '../attachments/attachment.service.js';
import { MessageTreeRepository } from '../messages/message-tree.repository.js';
import { ConversationDeletionService } from './conversation-deletion.service.js';
import {
  type ConversationChanges,
  type ConversationFilter,
  ConversationRepository,
  type ListRange,
  type StoredConversation,
} from './conversation.repository.js';
import { ListedMessage, type StoredMessage } from '../messages/stored-message.js';

/** Manages conversations. A conversation of another user looks like one that does not exist. */
@Injectable()
export class ConversationService {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly branches: MessageTreeRepository,
    private readonly attachments: AttachmentService,
    private readonly deletions: ConversationDeletionService,
    private readonly passages: PassageFinder,
  ) {}

  /** Lists conversations, newest first. */
  listConversations(
    userId: string,
    filter: ConversationFilter,
    slice: ListRange,
  ): Promise<StoredConversation[]> {
    return this.conversations.listConversations(userId, filter, slice);
  }

  /**
   * Changes the owner's settings. This does not count as a turn: `updatedAt` stays.
   * @throws NotFoundError
   */
  async update(userId: string, id: string, changes: ConversationChanges): Promise<StoredConversation> {
    const changed = await this.conversations.update(userId, id, changes);
    if (changed === undefined) throw new NotFoundError('conversation', id);
    return changed;
  }

  /** @throws NotFoundError */
  async getConversation(userId: string, id: string): Promise<StoredConversation> {
    const conversation = await this.conversations.findConversation(userId, id);
    if (conversation === null) throw new NotFoundError('conversation', id);
    return conversation;
  }

  /**
   * Lists messages, oldest first: those of the active path, or of the whole tree.
   * @throws NotFoundError if there is no such conversation, or no message `after` in it
   */
  async messages(
    userId: string,
    id: string,
    { limit, after }: ListRange,
    branches: 'active' | 'all',
  ): Promise<ListedMessage[]> {
    await this.getConversation(userId, id);
    const afterPosition = await this.positionOf(userId, id, after);
    const messages = await this.conversations.messages({
      userId,
      conversationId: id,
      branches,
      limit,
      afterPosition,
    });
    return this.withNeighbors(userId, id, messages);
  }

  /**
   * Lists the messages with the same parent as this one, including this one, oldest first.
   * @throws NotFoundError
   */
  async siblings(
    userId: string,
    id: string,
    messageId: string,
    { limit, after }: ListRange,
  ): Promise<ListedMessage[]> {
    const message = await this.branches.findMessage(userId, id, messageId);
    if (message === null) throw new NotFoundError('message', messageId);
    const afterPosition = await this.positionOf(userId, id, after);
    const { parentId } = message;
    const siblings = await this.branches.siblings({
      userId,
      conversationId: id,
      parentId,
      limit,
      afterPosition,
    });
    return this.withNeighbors(userId, id, siblings);
  }

  /**
   * Makes the path through a message the active one.
   * @throws NotFoundError
   * @throws ConversationBusyError
   */
  async activate(userId: string, id: string, messageId: string): Promise<StoredConversation> {
    await this.branches.activate(userId, id, messageId);
    return this.getConversation(userId, id);
  }

  /**
   * Deletes a conversation with all its messages; its usage stays in the ledger. A turn running in it is stopped.
   * @throws NotFoundError
   * @throws DeletionUnfinishedError
   */
  async delete(userId: string, id: string): Promise<void> {
    await this.deletions.delete(userId, id);
  }

  private async positionOf(userId: string, id: string, after: string | undefined): Promise<number> {
    const position = after === undefined ? -1 : await this.conversations.position(userId, id, after);
    if (position === undefined) throw new NotFoundError('message', after ?? '');
    return position;
  }

  /** Returns the sources of answers by message. */
  private async readSources(
    userId: string,
    messages: readonly StoredMessage[],
  ): Promise<ReadonlyMap<string, AnswerSources>> {
    const stored = messages.flatMap(({ id, sources }) => {
      const retrieval = toStoredRetrieval(sources);
      return retrieval === undefined ? [] : [{ id, sources: retrieval.sources }];
    });
    const shown = await this.passages.readSources(
      userId,
      stored.flatMap(({ sources }) => sources),
    );
    let start = 0;
    return new Map(
      stored.map(({ id, sources }) => {
        start += sources.length;
        return [id, shown.slice(start - sources.length, start)];
      }),
    );
  }

  private async withNeighbors(
    userId: string,
    id: string,
    messages: readonly StoredMessage[],
  ): Promise<ListedMessage[]> {
    const ids = messages.map((message) => message.id);
    const found = await this.branches.listAdjacentSiblings(userId, id, ids);
    const byId = new Map(found.map((neighbors) => [neighbors.id, neighbors]));
    const asked = messages.filter(({ role }) => role === 'user');
    const files = await this.attachments.listByMessage(
      userId,
      asked.map((message) => message.id),
    );
    const sources = await this.readSources(userId, messages);
    return messages.map((message) => {
      const { previous = null, next = null } = byId.get(message.id) ?? {};
      const attachments = files.get(message.id) ?? [];
      return { ...message, previous, next, attachments, shownSources: sources.get(message.id) };
    });
  }
}
