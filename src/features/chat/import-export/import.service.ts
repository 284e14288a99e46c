import { setImmediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AppError, InvalidRequestError, ServerBusyError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { countTokens } from '../../../llm/index.js';
import type { StoredConversation } from '../conversations/conversation.repository.js';
import { ConversationService } from '../conversations/conversation.service.js';
import { INTERRUPTED_ERROR } from '../model/turn.js';
import type { ConversationFile, FileMessage } from './conversation-file.dto.js';
import {
  type ImportedConversation,
  type ImportedMessage,
  TransferRepository,
} from './transfer.repository.js';

/** Time after which other requests are allowed to run, in milliseconds. */
const YIELD_INTERVAL_MS = 10;

/** An RFC 3339 time; the offset is required, because the time is ambiguous without it. */
const TIME =
  /^(?<day>\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** The last moment with a four-digit year, the only form that clients and this server parse. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Delay after which an account may retry while another of its imports runs, in milliseconds. */
const IMPORT_RETRY_MS = 5_000;

/** Maximum number of concurrent imports per process: each holds a database connection for up to two minutes. */
const MAX_IMPORTS = 2;

/** Creates conversations from files. The contents are validated, because anybody can write a file. */
@Injectable()
export class ImportService {
  constructor(
    private readonly repository: TransferRepository,
    private readonly conversations: ConversationService,
  ) {}

  /** Accounts with an import in progress: a large file keeps the database busy for a while. */
  private readonly importing = new Set<string>();

  /**
   * Stores the conversation of a file as the user's own, with new ids throughout. Stores nothing if the signal
   * aborts before the end.
   * @throws InvalidRequestError naming the field, if the messages are not a tree or the active ones not a path
   * @throws AppError `rate_limit_exceeded` while the account imports another file here, `request_cancelled`
   * @throws ServerBusyError while the maximum number of imports runs here
   */
  async import(userId: string, file: ConversationFile, signal: AbortSignal): Promise<StoredConversation> {
    if (this.importing.has(userId)) throw oneAtATime();
    // Check and increment without an await in between, so that concurrent requests cannot exceed the limit.
    if (this.importing.size >= MAX_IMPORTS)
      throw new ServerBusyError(
        'The server is importing other files. Try again in a moment.',
        IMPORT_RETRY_MS,
      );
    this.importing.add(userId);
    try {
      return await this.store(userId, file, signal);
    } finally {
      this.importing.delete(userId);
    }
  }

  private async store(
    userId: string,
    file: ConversationFile,
    signal: AbortSignal,
  ): Promise<StoredConversation> {
    const { title, system_prompt: systemPrompt = null, archived = false, pinned = false } = file.conversation;
    if (title.trim() === '') throw refused('conversation.title', 'must not be blank');
    const ids = idsOf(file.messages);
    const leaf = leafOf(file.messages);
    const messages: ImportedConversation['messages'][number][] = [];
    let yieldedAt = performance.now();
    for (const [index, message] of file.messages.entries()) {
      messages.push({
        ...toRow(message, index, ids),
        active: message.active,
        tokenCount: countTokens(message.content),
      });
      if (performance.now() - yieldedAt > YIELD_INTERVAL_MS) {
        await setImmediate();
        yieldedAt = performance.now();
      }
    }
    const id = newId();
    const leafMessageId = ids.get(leaf.id) ?? leaf.id;
    const conversation = { id, userId, title, systemPrompt, archived, pinned, leafMessageId, messages };
    await this.repository.insertConversation(conversation, signal);
    return this.conversations.getConversation(userId, id);
  }
}

/**
 * Maps the ids of the file to new ones.
 * @throws InvalidRequestError if an id occurs twice, or a parent comes after its child
 */
function idsOf(messages: readonly FileMessage[]): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  for (const [index, { id, parent_id: parentId }] of messages.entries()) {
    if (ids.has(id)) throw refused(`messages.${index}.id`, 'is also the id of an earlier message');
    if (parentId !== null && !ids.has(parentId))
      throw refused(`messages.${index}.parent_id`, 'must be the id of an earlier message, or null');
    ids.set(id, newId());
  }
  return ids;
}

/**
 * Returns the end of the active path.
 * @throws InvalidRequestError if the active messages are not a single path from a root
 */
function leafOf(messages: readonly FileMessage[]): FileMessage {
  let leaf: FileMessage | undefined;
  for (const [index, message] of messages.entries()) {
    if (!message.active) continue;
    if (message.parent_id !== (leaf?.id ?? null)) {
      const wanted = leaf === undefined ? 'null' : `'${leaf.id}'`;
      throw refused(
        `messages.${index}.active`,
        `can only be true if parent_id is ${wanted}: the active messages must form one path`,
      );
    }
    leaf = message;
  }
  if (leaf === undefined) throw refused('messages', 'must have an active path: at least one active message');
  return leaf;
}

function toRow(message: FileMessage, index: number, ids: ReadonlyMap<string, string>): ImportedMessage {
  const { role, content, error, warning = null } = message;
  const generating = message.status === 'generating';
  return {
    id: ids.get(message.id) ?? newId(),
    parentId: message.parent_id === null ? null : (ids.get(message.parent_id) ?? null),
    role,
    // No process generates it any more.
    status: generating ? 'interrupted' : message.status,
    content,
    model: message.model ?? null,
    finishReason: message.finish_reason ?? null,
    toolCalls: message.tool_calls,
    toolCallId: message.tool_call_id ?? null,
    attachments: (message.attachments ?? []).map(({ name, media_type: mediaType }) => ({ name, mediaType })),
    errorCode: error?.code ?? (generating ? INTERRUPTED_ERROR.errorCode : null),
    errorMessage: error?.message ?? (generating ? INTERRUPTED_ERROR.errorMessage : null),
    warning,
    createdAt: timeOf(message.created_at, `messages.${index}.created_at`),
    completedAt:
      typeof message.completed_at === 'string'
        ? timeOf(message.completed_at, `messages.${index}.completed_at`)
        : null,
  };
}

/** @throws InvalidRequestError if the date or time does not exist, or is before 1970 */
function timeOf(text: string, field: string): Date {
  const time = new Date(text);
  const day = TIME.exec(text)?.groups?.['day'];
  // `Date` would parse February 30 as a day in March.
  const inCalendar =
    day !== undefined && new Date(Date.parse(`${day}T00:00:00Z`) || 0).toJSON().startsWith(day);
  if (inCalendar && time.getTime() >= 0 && time.getTime() <= LATEST) return time;
  throw refused(field, 'must be a time from 1970 to 9999, such as 2026-11-21T08:00:00Z');
}

function oneAtATime(): AppError {
  const message = 'Another import of this account is in progress. Wait for it to end, then try again.';
  return new AppError('rate_limit_exceeded', message, { retryAfterMs: IMPORT_RETRY_MS });
}

function refused(field: string, what: string): InvalidRequestError {
  const message = `${field} ${what}`;
  return new InvalidRequestError(`${message}.`, [{ field, message }]);
}
