import { Injectable } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { AttemptRecord } from '../../../llm/index.js';
import { UsageRepository } from '../../usage/index.js';
import type { Chore, ChoreEnd, TaskRef, ChoreResult, DueTask } from '../model/conversation-task.js';
import { addToTotals, hasAccount, lockConversation } from '../messages/conversation-totals.repository.js';

/** How long a chore is ours, in seconds: longer than a call to a model may take. */
const HELD_SECONDS = 120;

/** A try at a chore that is over. */
export interface EndedTry {
  /** Key of its attempts in the ledger. */
  readonly callId: string;
  readonly attempts: readonly AttemptRecord[];
  /** What it came to, and the model that said so; undefined where it came to nothing. */
  readonly result: (ChoreResult & { readonly model: string }) | undefined;
  readonly end: ChoreEnd;
}

/** What is to be done in the background, as rows. */
@Injectable()
export class TaskRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly usage: UsageRepository,
  ) {}

  /**
   * Takes a chore that is due; undefined where there is none. Of several that come at once one gets it: the others wait
   * for its update and then find `due_at` in the future. What is due for a disabled account waits.
   */
  async take({ conversationId, kind }: TaskRef): Promise<Chore | undefined> {
    const [chore] = await this.prisma.run(
      (client) => client.$queryRaw<Chore[]>`
        UPDATE chores SET due_at = now() + make_interval(secs => ${HELD_SECONDS}), tries = tries + 1
        FROM users
        WHERE conversation_id = ${conversationId}::uuid AND kind = ${kind}::chore_kind AND due_at <= now()
          AND users.id = chores.user_id AND users.disabled_at IS NULL
        RETURNING conversation_id AS "conversationId", kind::text, user_id AS "userId", message_id AS "messageId", tries,
          due_at AS "heldUntil"`,
    );
    return chore;
  }

  /** Chores that are due, the longest first. */
  due(limit: number): Promise<TaskRef[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<TaskRef[]>`
        SELECT conversation_id AS "conversationId", kind::text
        FROM chores JOIN users ON users.id = chores.user_id
        WHERE due_at < now() AND users.disabled_at IS NULL
        ORDER BY due_at LIMIT ${limit}`,
    );
  }

  /**
   * Ends a try: its usage, the conversation's totals, what it came to and what becomes of the chore together, or nothing
   * of it. Where the chore is not ours any more only the usage is written, since it was used all the same. May be done
   * twice: the ledger has the attempts once, and the chore is not ours the second time.
   * @returns whether it was ours
   */
  settle(chore: Chore, { callId, attempts, result, end }: EndedTry): Promise<boolean> {
    const { userId } = chore;
    return this.prisma.transaction(async (transaction) => {
      const there = await lockConversation(transaction, chore.conversationId);
      // With the account went everything, its usage too.
      if (!there && !(await hasAccount(transaction, userId))) return false;
      const conversationId = there ? chore.conversationId : null;
      const owner = { callId, userId, apiKeyId: null, conversationId };
      const sum = await this.usage.commit(transaction, owner, attempts);
      if (!there) return false;
      await addToTotals(transaction, chore.conversationId, sum);
      if (!(await release(transaction, chore, end))) return false;
      if (result !== undefined) await store(transaction, chore, result);
      return true;
    });
  }
}

/** Returns what a turn makes due as `finish_turn` and `write_chores` take it. */
export function tasksJson(chores: readonly DueTask[]): string {
  return JSON.stringify(chores.map(({ kind, messageId }) => ({ kind, message_id: messageId })));
}

/** The fence: whoever has taken the chore after us holds it until another moment. */
async function release(
  transaction: Transaction,
  { conversationId, kind, heldUntil }: Chore,
  end: ChoreEnd,
): Promise<boolean> {
  if (end === 'done') {
    const { count } = await transaction.chore.deleteMany({
      where: { conversationId, kind, dueAt: heldUntil },
    });
    return count === 1;
  }
  const updated = await transaction.$executeRaw`
    UPDATE chores
    SET due_at = now() + make_interval(secs => ${end.waitSeconds}), tries = CASE WHEN ${end.counted} THEN tries ELSE 0 END
    WHERE conversation_id = ${conversationId}::uuid AND kind = ${kind}::chore_kind AND due_at = ${heldUntil}`;
  return updated === 1;
}

async function store(
  transaction: Transaction,
  { conversationId, userId }: Chore,
  result: ChoreResult & { readonly model: string },
): Promise<void> {
  if (result.type === 'title') {
    await transaction.conversation.updateMany({
      // Never over a name that the user has given meanwhile.
      where: { id: conversationId, userId, titledBy: 'question' },
      data: { title: result.title, titledBy: 'model' },
    });
    return;
  }
  const { messageId, text, tokenCount, model } = result;
  await transaction.summary.createMany({
    data: [{ id: newId(), userId, conversationId, messageId, text, tokenCount, model }],
    skipDuplicates: true,
  });
}
