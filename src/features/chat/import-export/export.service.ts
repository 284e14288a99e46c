import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import {
  TransferRepository,
  type ExportedConversation,
  type ExportedMessage,
} from './transfer.repository.js';

/** Number of messages held in memory at a time; each may have a million characters. */
const PAGE = 20;

/** A conversation that is read on demand. */
export interface Export {
  readonly conversation: ExportedConversation;
  /** The messages that existed when the export began: all of them, or those of the path that was active then. */
  readonly messages: (
    which: 'all' | 'active',
    signal: AbortSignal,
  ) => AsyncIterable<ExportedMessage & { active: boolean }>;
}

/** Reads whole conversations, a page at a time. Holds no database connection between pages. */
@Injectable()
export class ExportService {
  constructor(private readonly repository: TransferRepository) {}

  /** @throws NotFoundError */
  async beginExport(userId: string, id: string): Promise<Export> {
    const conversation = await this.repository.findConversation(userId, id);
    if (conversation === null) throw new NotFoundError('conversation', id);
    // Read once, in one statement: another branch may become active while the rest is read.
    const path = await this.repository.activePath(userId, id);
    return {
      conversation,
      messages: (which, signal) =>
        which === 'all'
          ? this.readAllMessages(userId, conversation, new Set(path), signal)
          : this.readMessagesById(userId, id, path, signal),
    };
  }

  /** @throws NotFoundError if the conversation is deleted in the meantime: a truncated file must not look complete */
  private async *readAllMessages(
    userId: string,
    { id, nextPosition }: ExportedConversation,
    path: ReadonlySet<string>,
    signal: AbortSignal,
  ) {
    for (let from = 0; from < nextPosition && !signal.aborted;) {
      const page = await this.repository.readMessagePage(userId, id, {
        from,
        before: nextPosition,
        limit: PAGE,
      });
      const last = page.at(-1);
      if (last === undefined) throw new NotFoundError('conversation', id);
      for (const message of page) yield { ...message, active: path.has(message.id) };
      from = last.position + 1;
    }
  }

  /** @throws NotFoundError if the conversation is deleted in the meantime */
  private async *readMessagesById(userId: string, id: string, path: readonly string[], signal: AbortSignal) {
    for (let from = 0; from < path.length && !signal.aborted; from += PAGE) {
      const page = await this.repository.readMessagesById(userId, id, path.slice(from, from + PAGE));
      if (page.length === 0) throw new NotFoundError('conversation', id);
      for (const message of page) yield { ...message, active: true };
    }
  }
}
