import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { AppError, NotFoundError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { storableJson } from '../../../common/stored-text.js';
import { PrismaService } from '../../../infra/database/index.js';
import { ConversationBusyError, DuplicateRequestError } from '../model/chat.errors.js';
import type { Compaction } from '../model/compaction.js';
import { KEPT_HOURS } from './idempotency.repository.js';
import { type Idempotency, LEASE_SECONDS, type Turn } from '../model/turn.js';

/** A message that a turn stores before its answer. */
export interface NewMessageRow {
  readonly id: string;
  readonly role: 'user' | 'tool';
  readonly content: string;
  /** Of the text and the files. */
  readonly tokenCount: number;
  /** Files that it comes with; none without it. */
  readonly fileIds?: readonly string[];
  /** Of the result of a tool: the call that it is of. */
  readonly toolCallId: string | null;
}

/** Fields of a turn that depend on its position in a conversation. */
type PlacedTurn = Pick<Turn, 'conversationId' | 'systemPrompt' | 'compaction' | 'parentId'>;

/** A turn on its way into the database. Its ids are made before, so that it is found should the reply to its commit be lost. */
export interface NewTurn extends Omit<Turn, keyof PlacedTurn> {
  readonly position:
    | { readonly type: 'new'; readonly conversationId: string; readonly title: string }
    | {
        readonly type: 'known';
        readonly conversationId: string;
        readonly after: 'leaf' | { readonly messageId: string | null };
      };
  /** These replace what the conversation has. */
  readonly systemPrompt: string | undefined;
  readonly compaction: Compaction | undefined;
  /** New messages, each the parent of the next; none if the question is already stored. */
  readonly newMessages: readonly NewMessageRow[];
  readonly idempotency: Idempotency | undefined;
}

/** The rows of turns as they begin. Each method is one transaction. */
@Injectable()
export class TurnRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Stores the new messages and an answer that is being generated under a lease of ours, and makes both the active path.
   * From here on nothing that the user wrote can be lost. One statement, which is its own transaction.
   * @throws NotFoundError where the conversation or a file is gone, ConversationBusyError, DuplicateRequestError
   */
  async begin(turn: NewTurn): Promise<Turn> {
    try {
      const [row] = await this.prisma.query<PlacedRow>(
        `SELECT system_prompt, compaction, parent_id
         FROM begin_turn($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
        beginValues(turn),
      );
      if (row === undefined) throw new Error('begin_turn returned no row.');
      return begunTurn(turn, { ...row, conversation_id: turn.position.conversationId });
    } catch (error) {
      throw toRefusal(error, turn) ?? error;
    }
  }

  /**
   * Finds the turn if it was stored although the reply to its commit was lost, and renews its lease. Waits for a `begin`
   * that still runs on the server. Undefined if it was not stored, or if a sweep has ended it meanwhile.
   */
  async findBegun(turn: NewTurn): Promise<Turn | undefined> {
    const [row] = await this.prisma.query<PlacedRow & { conversation_id: string }>(
      'SELECT conversation_id, system_prompt, compaction, parent_id FROM find_begun_turn($1, $2, $3)',
      [turn.answerId, turn.leaseOwner, LEASE_SECONDS],
    );
    return row && begunTurn(turn, row);
  }
}

/** Columns that `begin_turn` and `find_begun_turn` have in common. */
interface PlacedRow {
  readonly system_prompt: string | null;
  readonly compaction: Compaction;
  readonly parent_id: string;
}

/** Parameters of `begin_turn`. */
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
    storableJson(messages),
    turn.answerId,
    turn.leaseOwner,
    LEASE_SECONDS,
    spec.model,
    JSON.stringify(spec.parameters),
    ...(idempotency === undefined
      ? [null, null, null, null, null]
      : [newId(), idempotency.route, idempotency.key, Buffer.from(idempotency.fingerprint), KEPT_HOURS]),
  ];
}

/** PostgreSQL's code for a row that refers to one which is not there. */
const FOREIGN_KEY_VIOLATION = '23503';

/** The error behind a code of `begin_turn`; undefined if it is another failure. */
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
      // Of all rows that a turn refers to, only that of the account is neither locked nor the turn's own.
      return new AppError('unauthorized', 'The account has been deleted.');
    default:
      return undefined;
  }
}

function begunTurn(turn: NewTurn, row: PlacedRow & { readonly conversation_id: string }): Turn {
  const { spec, answerId, leaseOwner } = turn;
  return {
    spec,
    answerId,
    leaseOwner,
    conversationId: row.conversation_id,
    systemPrompt: row.system_prompt,
    compaction: row.compaction,
    parentId: row.parent_id,
  };
}
