import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { LlmService } from '../../llm/index.js';
import {
  type ConversationChanges,
  type ConversationFilter,
  ConversationRepository,
  type Slice,
  type StoredConversation,
  type StoredMessage,
} from './conversation.repository.js';
import { TurnRunner } from './turn-runner.js';

/** What was said. Somebody else's conversation looks like one that does not exist. */
@Injectable()
export class ConversationService {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly runner: TurnRunner,
    private readonly llm: LlmService,
  ) {}

  /** Newest first. */
  list(userId: string, filter: ConversationFilter, slice: Slice): Promise<StoredConversation[]> {
    return this.conversations.list(userId, filter, slice);
  }

  /**
   * Changes what its owner has set. It does not count as a turn: `updatedAt` stays.
   * @throws NotFoundError
   */
  async update(userId: string, id: string, changes: ConversationChanges): Promise<StoredConversation> {
    const changed = await this.conversations.update(userId, id, changes);
    if (changed === undefined) throw new NotFoundError('conversation', id);
    return changed;
  }

  /** @throws NotFoundError */
  async get(userId: string, id: string): Promise<StoredConversation> {
    const conversation = await this.conversations.find(userId, id);
    if (conversation === null) throw new NotFoundError('conversation', id);
    return conversation;
  }

  /**
   * Messages, oldest first.
   * @throws NotFoundError where there is no such conversation, or no message `after` in it
   */
  async messages(userId: string, id: string, { limit, after }: Slice): Promise<StoredMessage[]> {
    await this.get(userId, id);
    const behind = after === undefined ? -1 : await this.conversations.position(userId, id, after);
    if (behind === undefined) throw new NotFoundError('message', after ?? '');
    return this.conversations.messages(userId, id, limit, behind);
  }

  /**
   * Deletes a conversation with all its messages; what it used stays in the ledger. A turn that runs in it is stopped.
   * @throws NotFoundError
   */
  async delete(userId: string, id: string): Promise<void> {
    if (!(await this.conversations.delete(userId, id))) throw new NotFoundError('conversation', id);
    // A process that does not hear of it finds out at its next checkpoint.
    await this.runner.abandon(id);
    // Which of the answers that are kept for equal questions were given in it is not known, so none stays.
    await this.llm.forgetAnswersOf(userId);
  }
}
