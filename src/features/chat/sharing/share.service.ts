import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import type { ListRange } from '../conversations/conversation.repository.js';
import { ConversationService } from '../conversations/conversation.service.js';
import { UnknownShareError } from './share.errors.js';
import {
  type OpenedShare,
  type SharedMessage,
  ShareRepository,
  type StoredShare,
} from './share.repository.js';

/** A newly created share, with the secret of its link. */
export interface NewShare extends StoredShare {
  readonly token: string;
}

/** Read-only access to conversations by link. */
@Injectable()
export class ShareService {
  constructor(
    private readonly shares: ShareRepository,
    private readonly conversations: ConversationService,
  ) {}

  /**
   * Shares a conversation as it is now: later changes are not shown. The secret is returned only this once.
   * @throws NotFoundError
   * @throws ConversationBusyError while an answer is being generated
   * @throws NothingToShareError
   */
  async createShare(userId: string, conversationId: string): Promise<NewShare> {
    const token = randomBytes(32).toString('base64url');
    const share = { id: newId(), userId, conversationId, hash: hashOf(token) };
    return { ...(await this.shares.insert(share)), token };
  }

  /**
   * Lists shares, newest first, without revoked ones.
   * @throws NotFoundError
   */
  async listShares(userId: string, conversationId: string, slice: ListRange): Promise<StoredShare[]> {
    await this.conversations.getConversation(userId, conversationId);
    return this.shares.listShares(userId, conversationId, slice);
  }

  /**
   * Revokes a link immediately.
   * @throws NotFoundError
   */
  async revoke(userId: string, conversationId: string, id: string): Promise<void> {
    if (!(await this.shares.revoke(userId, conversationId, id))) throw new NotFoundError('share', id);
  }

  /**
   * Opens the share of a link.
   * @throws UnknownShareError
   */
  async openShare(token: string): Promise<OpenedShare> {
    const share = await this.shares.open(hashOf(token));
    if (share === null) throw new UnknownShareError();
    return share;
  }

  /**
   * Lists the messages of a shared conversation, oldest first.
   * @throws UnknownShareError
   * @throws NotFoundError if there is no message `after`
   */
  async messages(token: string, slice: ListRange): Promise<SharedMessage[]> {
    const messages = await this.shares.messages(await this.openShare(token), slice);
    if (messages === undefined) throw new NotFoundError('message', slice.after ?? '');
    return messages;
  }
}

/** Returns the stored form of a token. It has too many random bits to need a slow hash. */
function hashOf(token: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(token).digest());
}
