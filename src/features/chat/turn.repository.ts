import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { storableJson } from '../../common/storable.js';
import { Prisma } from '../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../infra/database/index.js';
import { UsageRepository } from '../usage/index.js';
import { attachFiles } from './attachment.repository.js';
import { type ToolCall, toWireCalls } from './tool-calls.js';
import { activatePath, refuseWhileGenerating } from './branch.repository.js';
import type { Compaction } from './compaction.js';
import type { ChoreKind } from './chore.js';
import { writeChores } from './chore.repository.js';
import { addToTotals, hasAccount, lockConversation } from './conversation-totals.repository.js';
import { IdempotencyRepository } from './idempotency.repository.js';
import { type Idempotency, INTERRUPTED, type Settlement, totalCost, type Turn } from './turn.js';

/** How long an answer stays ours without a checkpoint, in seconds. */
const LEASE_SECONDS = 15;

/** A message that a turn stores before its answer. */
export interface SaidMessage {
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

/** What a turn has of its place in a conversation. */
type PlacedTurn = Pick<Turn, 'conversationId' | 'systemPrompt' | 'compaction' | 'parentId'>;

/** A turn on its way into the database. Its ids are made before, so that it is found should the reply to its commit be lost. */
export interface NewTurn extends Omit<Turn, keyof PlacedTurn> {
  readonly place:
    | { readonly type: 'new'; readonly conversationId: string; readonly title: string }
    | {
        readonly type: 'known';
        readonly conversationId: string;
        readonly after: 'leaf' | { readonly messageId: string | null };
      };
  /** These replace what the conversation has. */
  readonly systemPrompt: string | undefined;
  readonly compaction: Compaction | undefined;
  /** What is said, each message after the one before it; none where the answer follows what stands there. */
  readonly said: readonly SaidMessage[];
  readonly idempotency: Idempotency | undefined;
}

/** What the end of a turn came to. */
export interface EndedTurn {
  /** Whether its answer was ours still. */
  readonly ours: boolean;
  readonly due: readonly ChoreKind[];
}

/** The rows of turns: how they begin, live and end. Each method is one transaction. */
@Injectable()
export class TurnRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly usage: UsageRepository,
    private readonly keys: IdempotencyRepository,
  ) {}

  /**
   * Stores what is said, and an answer that is being generated under a lease of ours; both stand on the active path
   * then. From here on nothing that the user wrote can be lost.
   * @throws NotFoundError where the conversation or a file is gone, ConversationBusyError, DuplicateRequestError
   */
  begin(turn: NewTurn): Promise<Turn> {
    return this.prisma.transaction(async (transaction) => {
      const { idempotency, answerId } = turn;
      // First of all, so that a doubled request waits here and not at the conversation, where it would be a second turn.
      const claim = idempotency && (await this.keys.claim(transaction, turn.userId, idempotency));
      const conversation = await placeTurn(transaction, turn);
      const parentId = await insertMessages(transaction, turn, conversation);
      for (const { id: messageId, fileIds = [] } of turn.said)
        await attachFiles(transaction, { userId: turn.userId, messageId, fileIds });
      await transaction.conversation.update({
        where: { id: conversation.id },
        data: { leafMessageId: answerId },
        select: { id: true },
      });
      if (claim !== undefined) await this.keys.name(transaction, claim, answerId);
      return begun(turn, {
        conversationId: conversation.id,
        systemPrompt: conversation.systemPrompt,
        compaction: conversation.compaction,
        parentId,
      });
    });
  }

  /**
   * The turn, where it was stored although nobody could say so, because the connection broke: its lease is renewed.
   * Undefined where it was not, or where a sweep has ended it meanwhile.
   */
  async findBegun(turn: NewTurn): Promise<Turn | undefined> {
    const [found] = await this.prisma.run(
      (client) => client.$queryRaw<PlacedTurn[]>`
        UPDATE messages SET lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
        FROM conversations
        WHERE messages.id = ${turn.answerId}::uuid AND lease_owner = ${turn.leaseOwner}::uuid AND status = 'generating'
          AND conversations.id = conversation_id
        RETURNING conversation_id AS "conversationId", system_prompt AS "systemPrompt", compaction::text, parent_id AS "parentId"`,
    );
    return found && begun(turn, found);
  }

  /**
   * Stores the text so far and renews the lease.
   * @returns `stop` where somebody wants the answer stopped, `lost` where it is no longer ours: deleted, or given up by
   *   a sweep
   */
  async checkpoint(
    turn: Turn,
    progress: {
      readonly attempt: number;
      readonly text: string;
      readonly calls: readonly ToolCall[];
      readonly model: string;
      readonly inputTokens: number;
    },
  ): Promise<'ours' | 'stop' | 'lost'> {
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<{ stop: boolean }[]>`
        UPDATE messages
        SET content = ${progress.text}, tool_calls = ${jsonOf(progress.calls)}::jsonb, model = ${progress.model}, attempt = ${progress.attempt},
          input_tokens = ${progress.inputTokens}, lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
        WHERE id = ${turn.answerId}::uuid AND lease_owner = ${turn.leaseOwner}::uuid AND status = 'generating'
        RETURNING stop_requested AS stop`,
    );
    const [row] = rows;
    if (row === undefined) return 'lost';
    return row.stop ? 'stop' : 'ours';
  }

  /**
   * Ends the turn: answer, usage, the conversation's totals and what it makes due together, or nothing of it. Where the
   * answer is no longer ours only the usage is written, since it was used all the same. May be done twice: a commit
   * whose confirmation was lost is found again by the lease's owner, who stays in the row.
   * @returns whether the answer was ours, and what is due now
   */
  finish(turn: Turn, settlement: Settlement): Promise<EndedTurn> {
    return this.prisma.transaction(async (transaction) => {
      const there = await lockConversation(transaction, turn.conversationId);
      // With the account went everything, its usage too.
      if (!there && !(await hasAccount(transaction, turn.userId))) return { ours: false, due: [] };
      const { count } = await transaction.message.updateMany({
        // The fence: a lease that a sweep has ended does not match any more.
        where: { id: turn.answerId, leaseOwner: turn.leaseOwner, status: 'generating' },
        data: { ...columnsOf(settlement), leaseUntil: null },
      });
      if (count === 1) await storeJson(transaction, turn, settlement);
      const ours = count === 1 || (await isFinished(transaction, turn));
      const { userId, apiKeyId, answerId: callId } = turn;
      const conversationId = there ? turn.conversationId : null;
      const sum = await this.usage.commit(
        transaction,
        { callId, userId, apiKeyId, conversationId },
        settlement.attempts,
      );
      if (there) await addToTotals(transaction, turn.conversationId, sum, new Date());
      // Not when it is found again: what was due then may be done already.
      const due = count === 1 ? await writeChores(transaction, turn.conversationId, settlement.chores) : [];
      return { ours, due };
    });
  }
}

/** Whether we have ended the answer before. A sweep takes the owner out of the row. */
async function isFinished(transaction: Transaction, { answerId, leaseOwner }: Turn): Promise<boolean> {
  const where = { id: answerId, leaseOwner, status: { not: 'generating' } } as const;
  return (await transaction.message.count({ where })) === 1;
}

/** A conversation in which a turn takes place; its row is locked until the transaction ends. */
interface TakenConversation {
  readonly id: string;
  /** Of the first message of the turn. */
  readonly position: number;
  /** What that message follows. */
  readonly parentId: string | null;
  readonly systemPrompt: string | null;
  readonly compaction: Compaction;
}

function begun(turn: NewTurn, found: PlacedTurn): Turn {
  const { userId, apiKeyId, answerId, leaseOwner, model, parameters, instructions, restart, cache } = turn;
  return {
    userId,
    apiKeyId,
    answerId,
    leaseOwner,
    model,
    parameters,
    instructions,
    restart,
    cache,
    ...found,
  };
}

async function placeTurn(transaction: Transaction, turn: NewTurn): Promise<TakenConversation> {
  const { place } = turn;
  if (place.type === 'new') return createConversation(transaction, turn, place);
  const { leafMessageId, ...conversation } = await takeConversation(transaction, turn, place.conversationId);
  if (place.after === 'leaf') return { ...conversation, parentId: leafMessageId };
  const { messageId } = place.after;
  if (messageId !== leafMessageId) await activatePath(transaction, conversation.id, messageId);
  return { ...conversation, parentId: messageId };
}

async function createConversation(
  transaction: Transaction,
  turn: NewTurn,
  { conversationId: id, title }: { readonly conversationId: string; readonly title: string },
): Promise<TakenConversation> {
  const { userId, systemPrompt = null, compaction = 'none', said } = turn;
  const data = { id, userId, title, systemPrompt, compaction, nextPosition: said.length + 1 };
  await transaction.conversation.create({ data, select: { id: true } });
  return { id, position: 0, parentId: null, systemPrompt, compaction };
}

/**
 * The update locks the conversation's row until the transaction ends: of two turns that come at once the second waits
 * here, then sees the first one's answer and is refused. The partial unique index on generating messages would refuse
 * it even so.
 */
async function takeConversation(
  transaction: Transaction,
  turn: NewTurn,
  id: string,
): Promise<Omit<TakenConversation, 'parentId'> & { readonly leafMessageId: string | null }> {
  const positions = turn.said.length + 1;
  const [conversation] = await transaction.conversation.updateManyAndReturn({
    where: { id, userId: turn.userId },
    data: {
      nextPosition: { increment: positions },
      updatedAt: new Date(),
      ...(turn.systemPrompt !== undefined && { systemPrompt: turn.systemPrompt }),
      ...(turn.compaction !== undefined && { compaction: turn.compaction }),
    },
    select: { nextPosition: true, leafMessageId: true, systemPrompt: true, compaction: true },
  });
  if (conversation === undefined) throw new NotFoundError('conversation', id);
  await refuseWhileGenerating(transaction, id);
  const { nextPosition, ...taken } = conversation;
  return { id, position: nextPosition - positions, ...taken };
}

/** @returns the id of the message that the answer follows */
async function insertMessages(
  transaction: Transaction,
  { userId, said, answerId, leaseOwner, model, parameters }: NewTurn,
  { id, position, parentId: before }: TakenConversation,
): Promise<string> {
  const parentId = said.at(-1)?.id ?? before;
  if (parentId === null) throw new Error('An answer must follow a message.');
  const rows = said.map(
    (message, index) =>
      Prisma.sql`(${message.id}::uuid, ${id}::uuid, ${userId}::uuid, ${said[index - 1]?.id ?? before}::uuid, ${position + index},
        ${message.role}::message_role, 'complete', ${message.content}, ${message.tokenCount}, ${message.toolCallId}, NULL, NULL, NULL, NULL)`,
  );
  // The lease is counted by the database's clock, which all processes share.
  const answer = Prisma.sql`(${answerId}::uuid, ${id}::uuid, ${userId}::uuid, ${parentId}::uuid, ${position + said.length},
    'assistant', 'generating', '', 0, NULL, ${model}, ${JSON.stringify(parameters)}::jsonb, ${leaseOwner}::uuid,
    now() + make_interval(secs => ${LEASE_SECONDS}))`;
  await transaction.$executeRaw`
    INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content, token_count, tool_call_id, model, options, lease_owner, lease_until)
    VALUES ${Prisma.join([...rows, answer])}`;
  return parentId;
}

/** Calls as they are stored; null where there are none. */
export function jsonOf(calls: readonly ToolCall[]): string | null {
  return calls.length === 0 ? null : storableJson(toWireCalls(calls));
}

/** What of an answer is JSON. */
async function storeJson(
  transaction: Transaction,
  { answerId, leaseOwner }: Turn,
  { outcome: { calls }, providerData }: Settlement,
): Promise<void> {
  if (calls.length === 0 && providerData === undefined) return;
  const data = providerData === undefined ? null : storableJson(providerData);
  await transaction.$executeRaw`
    UPDATE messages SET tool_calls = ${jsonOf(calls)}::jsonb, provider_data = ${data}::jsonb
    WHERE id = ${answerId}::uuid AND lease_owner = ${leaseOwner}::uuid`;
}

function columnsOf({ outcome, tokenCount, attempts, attempt }: Settlement) {
  const { text: content, model } = outcome;
  // What a checkpoint may have stored of calls that are void by now.
  const toolCalls = Prisma.DbNull;
  const common = { content, toolCalls, model, tokenCount, attempt };
  if (!('error' in outcome)) {
    const { finishReason, usage, costMicroUsd, warning, cached, completedAt } = outcome;
    const status = outcome.status === 'stopped' ? ('interrupted' as const) : outcome.status;
    return { ...common, ...usage, status, finishReason, costMicroUsd, warning, cached, completedAt };
  }
  const { status, error } = outcome;
  const usage = attempts.at(-1)?.usage;
  const why = status === 'failed' ? { errorCode: error.code, errorMessage: error.message } : INTERRUPTED;
  return { ...common, ...usage, status, costMicroUsd: totalCost(attempts), ...why, completedAt: new Date() };
}
