import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { PrismaService, type Transaction } from '../../infra/database/index.js';
import { UsageRepository } from '../usage/index.js';
import { ConversationBusyError } from './chat.errors.js';
import { IdempotencyRepository } from './idempotency.repository.js';
import { type Idempotency, INTERRUPTED, type Settlement, totalCost, type Turn } from './turn.js';

/** How long an answer stays ours without a checkpoint, in seconds. */
const LEASE_SECONDS = 15;

/** A question on its way into the database. */
export interface NewTurn extends Omit<
  Turn,
  'conversationId' | 'systemPrompt' | 'questionId' | 'answerId' | 'leaseOwner'
> {
  readonly conversationId: string | undefined;
  readonly systemPrompt: string | undefined;
  readonly idempotency: Idempotency | undefined;
  readonly title: string;
  readonly question: string;
  readonly questionTokens: number;
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
   * Stores the question, and an answer that is being generated under a lease of ours. From here on nothing that the
   * user wrote can be lost.
   * @throws NotFoundError, ConversationBusyError, DuplicateRequestError
   */
  begin(turn: NewTurn): Promise<Turn> {
    return this.prisma.transaction(async (transaction) => {
      const { idempotency } = turn;
      // First of all, so that a doubled request waits here and not at the conversation, where it would be a second turn.
      const claim = idempotency && (await this.keys.claim(transaction, turn.userId, idempotency));
      const conversation =
        turn.conversationId === undefined
          ? await createConversation(transaction, turn)
          : await takeConversation(transaction, turn, turn.conversationId);
      const questionId = newId();
      const answerId = newId();
      const leaseOwner = newId();
      const { id: conversationId, nextPosition: position, leafMessageId: parentId } = conversation;
      // The lease is counted by the database's clock, which all processes share.
      await transaction.$executeRaw`
        INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content, token_count, model, lease_owner, lease_until)
        VALUES
          (${questionId}::uuid, ${conversationId}::uuid, ${turn.userId}::uuid, ${parentId}::uuid, ${position}, 'user', 'complete',
            ${turn.question}, ${turn.questionTokens}, NULL, NULL, NULL),
          (${answerId}::uuid, ${conversationId}::uuid, ${turn.userId}::uuid, ${questionId}::uuid, ${position + 1}, 'assistant', 'generating',
            '', 0, ${turn.model}, ${leaseOwner}::uuid, now() + make_interval(secs => ${LEASE_SECONDS}))`;
      await transaction.conversation.update({
        where: { id: conversationId },
        data: { leafMessageId: answerId },
        select: { id: true },
      });
      if (claim !== undefined) await this.keys.name(transaction, claim, answerId);
      const { userId, apiKeyId, model, temperature, maxTokens, cache } = turn;
      const { systemPrompt } = conversation;
      return {
        userId,
        apiKeyId,
        conversationId,
        systemPrompt,
        questionId,
        answerId,
        leaseOwner,
        model,
        temperature,
        maxTokens,
        cache,
      };
    });
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
      readonly model: string;
      readonly inputTokens: number;
    },
  ): Promise<'ours' | 'stop' | 'lost'> {
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<{ stop: boolean }[]>`
        UPDATE messages
        SET content = ${progress.text}, model = ${progress.model}, attempt = ${progress.attempt},
          input_tokens = ${progress.inputTokens}, lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
        WHERE id = ${turn.answerId}::uuid AND lease_owner = ${turn.leaseOwner}::uuid AND status = 'generating'
        RETURNING stop_requested AS stop`,
    );
    const [row] = rows;
    if (row === undefined) return 'lost';
    return row.stop ? 'stop' : 'ours';
  }

  /**
   * Ends the turn: answer, usage and the conversation's totals together, or nothing of it. Where the answer is no
   * longer ours only the usage is written, since it was used all the same. May be done twice: a commit whose
   * confirmation was lost is found again by the lease's owner, who stays in the row.
   * @returns whether the answer was ours
   */
  finish(turn: Turn, settlement: Settlement): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      const there = await lockConversation(transaction, turn.conversationId);
      // With the account went everything, its usage too.
      if (!there && !(await hasAccount(transaction, turn.userId))) return false;
      const { count } = await transaction.message.updateMany({
        // The fence: a lease that a sweep has ended does not match any more.
        where: { id: turn.answerId, leaseOwner: turn.leaseOwner, status: 'generating' },
        data: { ...columnsOf(settlement), leaseUntil: null },
      });
      const ours = count === 1 || (await isFinished(transaction, turn));
      const { userId, apiKeyId, answerId: callId } = turn;
      const conversationId = there ? turn.conversationId : null;
      const sum = await this.usage.commit(
        transaction,
        { callId, userId, apiKeyId, conversationId },
        settlement.attempts,
      );
      if (there) {
        await transaction.conversation.update({
          where: { id: turn.conversationId },
          data: {
            tokensTotal: { increment: sum.tokens },
            costMicroUsd: { increment: sum.costMicroUsd },
            unpricedAttempts: { increment: sum.unpricedAttempts },
            updatedAt: new Date(),
          },
          select: { id: true },
        });
      }
      return ours;
    });
  }
}

async function hasAccount(transaction: Transaction, id: string): Promise<boolean> {
  return (await transaction.user.count({ where: { id } })) === 1;
}

/** Whether we have ended the answer before. A sweep takes the owner out of the row. */
async function isFinished(transaction: Transaction, { answerId, leaseOwner }: Turn): Promise<boolean> {
  const where = { id: answerId, leaseOwner, status: { not: 'generating' } } as const;
  return (await transaction.message.count({ where })) === 1;
}

interface TakenConversation {
  readonly id: string;
  readonly nextPosition: number;
  readonly leafMessageId: string | null;
  readonly systemPrompt: string | null;
}

/** Positions that a turn takes. */
const POSITIONS = 2;

async function createConversation(transaction: Transaction, turn: NewTurn): Promise<TakenConversation> {
  const { userId, title, systemPrompt = null } = turn;
  const data = { id: newId(), userId, title, systemPrompt, nextPosition: POSITIONS };
  const { id } = await transaction.conversation.create({ data, select: { id: true } });
  return { id, nextPosition: 0, leafMessageId: null, systemPrompt };
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
): Promise<TakenConversation> {
  const [conversation] = await transaction.conversation.updateManyAndReturn({
    where: { id, userId: turn.userId },
    data: {
      nextPosition: { increment: POSITIONS },
      updatedAt: new Date(),
      ...(turn.systemPrompt !== undefined && { systemPrompt: turn.systemPrompt }),
    },
    select: { id: true, nextPosition: true, leafMessageId: true, systemPrompt: true },
  });
  if (conversation === undefined) throw new NotFoundError('conversation', id);
  const running = await transaction.message.findFirst({
    where: { conversationId: id, status: 'generating' },
    select: { id: true },
  });
  if (running !== null) throw new ConversationBusyError(running.id);
  return { ...conversation, nextPosition: conversation.nextPosition - POSITIONS };
}

/** Always before the message's row: everything that locks both does it in this order, so that nobody waits in a circle. */
export async function lockConversation(transaction: Transaction, id: string): Promise<boolean> {
  const rows = await transaction.$queryRaw<
    unknown[]
  >`SELECT 1 FROM conversations WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
  return rows.length === 1;
}

function columnsOf({ outcome, tokenCount, attempts, attempt }: Settlement) {
  const { text: content, model } = outcome;
  const common = { content, model, tokenCount, attempt };
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
