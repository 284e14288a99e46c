import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { AppError, NotFoundError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { toStorableJson, toStorableText } from '../../../common/stored-text.js';
import { PrismaService } from '../../../infra/database/index.js';
import { ConversationBusyError, DuplicateRequestError } from '../model/chat.errors.js';
import type { Compaction } from '../model/compaction.js';
import { RETENTION_HOURS } from './idempotency.repository.js';
import { type Idempotency, LEASE_SECONDS, type OpeningQuestion, type Turn } from '../model/turn.js';

/** A message that a turn stores before its answer. */
export interface NewMessageRow {
  readonly id: string;
  readonly role: 'user' | 'tool';
  readonly content: string;
  /** Tokens of the text and the files. */
  readonly tokenCount: number;
  /** Ids of attached files; no files if absent. */
  readonly fileIds?: readonly string[];
  /** The call that a tool result belongs to; null for other messages. */
  readonly toolCallId: string | null;
}

/** Fields of a turn that depend on its position in a conversation. */
type PlacedTurn = Pick<
  Turn,
  'conversationId' | 'systemPrompt' | 'compaction' | 'parentId' | 'openingQuestion'
>;

/**
 * A turn to be stored. Its ids are generated in advance, so that it can be found if the reply to its commit is lost.
 */
export interface NewTurn extends Omit<Turn, keyof PlacedTurn> {
  readonly position:
    | { readonly type: 'new'; readonly conversationId: string; readonly title: string }
    | {
        readonly type: 'known';
        readonly conversationId: string;
        readonly after: 'leaf' | { readonly messageId: string | null };
      };
  /** The system prompt and the compaction replace those of the conversation if defined. */
  readonly systemPrompt: string | undefined;
  readonly compaction: Compaction | undefined;
  /** New messages, each the parent of the next; empty if the question is already stored. */
  readonly newMessages: readonly NewMessageRow[];
  readonly idempotency: Idempotency | undefined;
}

/** Stores turns as they begin. Each method is one transaction. */
@Injectable()
export class TurnRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Stores the new messages and an answer with status `generating` under this turn's lease, and makes both part of
   * the active path. From here on nothing that the user wrote can be lost. A single statement, which is its own
   * transaction.
   * @throws NotFoundError if the conversation or a file no longer exists
   * @throws ConversationBusyError
   * @throws DuplicateRequestError
   */
  async beginTurn(turn: NewTurn): Promise<Turn> {
    try {
      const [row] = await this.prisma.query<PlacedRow>(
        `SELECT system_prompt, compaction, parent_id
         FROM start_turn($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
        beginValues(turn),
      );
      if (row === undefined) throw new Error('start_turn returned no row.');
      return toTurn(turn, { ...row, conversation_id: turn.position.conversationId });
    } catch (error) {
      throw toRefusal(error, turn) ?? error;
    }
  }

  /**
   * Finds the turn if it was stored although the reply to its commit was lost, and renews its lease. Waits for a
   * `begin` that is still running on the database server. Returns undefined if the turn was not stored, or if a
   * recovery sweep has ended it in the meantime.
   */
  async findBegunTurn(turn: NewTurn): Promise<Turn | undefined> {
    const [row] = await this.prisma.query<PlacedRow & { conversation_id: string }>(
      'SELECT conversation_id, system_prompt, compaction, parent_id FROM find_begun_turn($1, $2, $3)',
      [turn.answerId, turn.leaseOwner, LEASE_SECONDS],
    );
    return row && toTurn(turn, row);
  }
}

/** Columns that `start_turn` and `find_begun_turn` both return. */
interface PlacedRow {
  readonly system_prompt: string | null;
  readonly compaction: Compaction;
  readonly parent_id: string;
}

/** Parameters of `start_turn`. */
function beginValues(turn: NewTurn): unknown[] {
  const { spec, position, idempotency } = turn;
  const title = position.type === 'new' ? position.title : null;
  const after = position.type === 'new' || position.after === 'leaf' ? 'leaf' : position.after;
  const messages = turn.newMessages.map(({ id, role, content, tokenCount, toolCallId, fileIds }) => ({
    id,
    role,
    content,
    token_count: tokenCount,
    tool_call_id: toolCallId,
    file_ids: fileIds,
  }));
  return [
    spec.userId,
    position.conversationId,
    title,
    after === 'leaf',
    after === 'leaf' ? null : after.messageId,
    turn.systemPrompt,
    turn.compaction,
    toStorableJson(messages),
    turn.answerId,
    turn.leaseOwner,
    LEASE_SECONDS,
    spec.model,
    JSON.stringify(spec.parameters),
    ...(idempotency === undefined
      ? [null, null, null, null, null]
      : [newId(), idempotency.route, idempotency.key, Buffer.from(idempotency.fingerprint), RETENTION_HOURS]),
  ];
}

/** PostgreSQL's error code for a row that references a missing row. */
const FOREIGN_KEY_VIOLATION = '23503';

/** Converts an error code raised by `start_turn`; undefined for any other failure. */
function toRefusal(error: unknown, { position }: NewTurn): Error | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined;
  const { code, detail = '' } = error;
  switch (code) {
    case 'PY001':
      return new DuplicateRequestError();
    case 'PY002':
      return new NotFoundError('conversation', position.conversationId);
    case 'PY003':
      return new ConversationBusyError(detail);
    case 'PY004':
      return new NotFoundError('file', detail);
    case FOREIGN_KEY_VIOLATION:
      // Every other row that a turn references is either locked or the turn's own, so this is the account.
      return new AppError('unauthorized', 'The account has been deleted.');
    default:
      return undefined;
  }
}

function toTurn(turn: NewTurn, row: PlacedRow & { readonly conversation_id: string }): Turn {
  const { spec, answerId, leaseOwner } = turn;
  return {
    spec,
    answerId,
    leaseOwner,
    conversationId: row.conversation_id,
    systemPrompt: row.system_prompt,
    compaction: row.compaction,
    hasFiles: turn.hasFiles,
    parentId: row.parent_id,
    openingQuestion: toOpeningQuestion(turn),
  };
}

/** Returns the question if it is all that the conversation has, with its text as the database has stored it. */
function toOpeningQuestion({ position, newMessages }: NewTurn): OpeningQuestion | undefined {
  const [question] = newMessages;
  if (position.type !== 'new' || question === undefined || newMessages.length > 1) return undefined;
  const { id, content, tokenCount, fileIds = [] } = question;
  return { id, content: toStorableText(content), tokenCount, hasFiles: fileIds.length > 0 };
}
