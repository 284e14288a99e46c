import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { ACCESS_CHANNEL, serializeAccessChange } from '../../../common/access-change.js';
import { Clock } from '../../../common/clock.js';
import { NotFoundError } from '../../../common/errors.js';
import { Broadcast } from '../../../infra/redis/index.js';
import { TurnRunner } from '../generation/turn-runner.js';
import { DeletionUnfinishedError } from '../model/chat.errors.js';
import { ConversationDeletionRepository, type DeletedPart } from './conversation-deletion.repository.js';

/** Maximum time that a request waits for the deletion to complete, in milliseconds. */
export const WAIT_MS = 10_000;

/** Number of rows deleted per statement, which must stay far below the statement timeout. */
const BATCH = 1_000;

/**
 * Deletes conversations of any size, in parts. A deletion goes on when its request no longer waits. One that was
 * interrupted, even by a kill, is continued by the next request.
 */
@Injectable()
export class ConversationDeletionService implements BeforeApplicationShutdown {
  private readonly logger = new Logger(ConversationDeletionService.name);
  private readonly running = new Map<string, Promise<DeletedPart>>();
  private isStopping = false;

  constructor(
    private readonly conversations: ConversationDeletionRepository,
    private readonly runner: TurnRunner,
    private readonly broadcast: Broadcast,
    private readonly clock: Clock,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    await Promise.allSettled(this.running.values());
  }

  /**
   * Deletes a conversation with all its messages; its usage stays in the ledger. A turn running in it is stopped.
   * @throws NotFoundError
   * @throws DeletionUnfinishedError
   */
  async delete(userId: string, id: string): Promise<void> {
    const deletion = this.start(userId, id);
    const patience = new AbortController();
    const waited = this.clock.wait(WAIT_MS, patience.signal).then(() => 'more' as const);
    const outcome = await Promise.race([deletion, waited]).finally(() => {
      patience.abort();
    });
    if (outcome === 'missing') throw new NotFoundError('conversation', id);
    if (outcome === 'deleted') return;
    deletion.catch((error: unknown) => {
      this.logger.warn(
        { err: error, conversation: id },
        'could not finish deleting a conversation; its next DELETE request will continue',
      );
    });
    throw new DeletionUnfinishedError();
  }

  /** Starts a deletion, or joins the one that is running in this process. */
  private start(userId: string, id: string): Promise<DeletedPart> {
    // With the account, so that nobody joins the deletion of another account's conversation.
    const key = `${userId} ${id}`;
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const deletion = this.deleteParts(userId, id).finally(() => this.running.delete(key));
    this.running.set(key, deletion);
    return deletion;
  }

  /** @returns `more` if this process is stopping */
  private async deleteParts(userId: string, id: string): Promise<DeletedPart> {
    let part = await this.deletePart(userId, id);
    if (part === 'missing') return part;
    // A process that misses the notification finds out at its next checkpoint.
    await this.runner.interruptConversation(id);
    while (part === 'more' && !this.isStopping) part = await this.deletePart(userId, id);
    if (part === 'more') return part;
    // Again, because a turn may have begun between two parts.
    await this.runner.interruptConversation(id);
    // The generation of cached answers is cached together with the user's identity. This process drops it before the
    // request is answered; others do so when notified, or when it expires within seconds.
    await this.broadcast.publish(ACCESS_CHANNEL, serializeAccessChange({ kind: 'changed', userId }));
    // If a part was missing, the request of another process has deleted the last one.
    return 'deleted';
  }

  private async deletePart(userId: string, id: string): Promise<DeletedPart> {
    let limit = BATCH;
    let part = await this.conversations.deletePart(userId, id, limit);
    while (part === 'timeout') {
      if (this.isStopping) return 'more';
      limit = Math.ceil(limit / 8);
      part = await this.conversations.deletePart(userId, id, limit);
    }
    return part;
  }
}
