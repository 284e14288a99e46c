import { Injectable } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { AttemptRecord } from '../../../llm/index.js';
import { UsageRepository } from '../../usage/index.js';
import type { ConversationTask, TaskEnd, TaskRef, TaskResult, DueTask } from '../model/conversation-task.js';
import { addToTotals, accountExists, lockConversation } from '../messages/conversation-totals.repository.js';

/** Duration of a claim on a task, in seconds: longer than the timeout of a model call. */
const TASK_LEASE_SECONDS = 120;

/** A finished attempt at a task. */
export interface TaskAttempt {
  /** Key of its model attempts in the ledger. */
  readonly callId: string;
  readonly attempts: readonly AttemptRecord[];
  /** The result, and the model that gave it; undefined if there is none. */
  readonly result: (TaskResult & { readonly model: string }) | undefined;
  readonly end: TaskEnd;
}

/** Stores background tasks as rows. */
@Injectable()
export class TaskRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly usage: UsageRepository,
  ) {}

  /**
   * Claims a due task; undefined if there is none. Of several concurrent callers one gets it: the others wait for
   * its update and then see `due_at` in the future. Tasks of a disabled account wait.
   */
  async claimTask({ conversationId, kind }: TaskRef): Promise<ConversationTask | undefined> {
    const [task] = await this.prisma.run(
      (client) => client.$queryRaw<ConversationTask[]>`
        UPDATE chores SET due_at = now() + make_interval(secs => ${TASK_LEASE_SECONDS}), tries = tries + 1
        FROM users
        WHERE conversation_id = ${conversationId}::uuid AND kind = ${kind}::chore_kind AND due_at <= now()
          AND users.id = chores.user_id AND users.disabled_at IS NULL
        RETURNING conversation_id AS "conversationId", kind::text, user_id AS "userId", message_id AS "messageId",
          tries AS attempts, due_at AS "leaseUntil"`,
    );
    return task;
  }

  /** Returns due tasks, the most overdue first. */
  listDueTasks(limit: number): Promise<TaskRef[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<TaskRef[]>`
        SELECT conversation_id AS "conversationId", kind::text
        FROM chores JOIN users ON users.id = chores.user_id
        WHERE due_at < now() AND users.disabled_at IS NULL
        ORDER BY due_at LIMIT ${limit}`,
    );
  }

  /**
   * Ends an attempt: stores its usage, the conversation's totals, its result and the new state of the task, all or
   * nothing. If the claim has expired, only the usage is stored, because it was consumed anyway. Idempotent: the
   * ledger has each attempt once, and the claim no longer holds the second time.
   * @returns whether the claim was still valid
   */
  endAttempt(task: ConversationTask, { callId, attempts, result, end }: TaskAttempt): Promise<boolean> {
    const { userId } = task;
    return this.prisma.transaction(async (transaction) => {
      const there = await lockConversation(transaction, task.conversationId);
      // Deleting the account removed everything, including its usage.
      if (!there && !(await accountExists(transaction, userId))) return false;
      const conversationId = there ? task.conversationId : null;
      const owner = { callId, userId, apiKeyId: null, conversationId };
      const sum = await this.usage.commit(transaction, owner, attempts);
      if (!there) return false;
      await addToTotals(transaction, task.conversationId, sum);
      if (!(await release(transaction, task, end))) return false;
      if (result !== undefined) await store(transaction, task, result);
      return true;
    });
  }
}

/** Serializes the tasks that a turn makes due, for `finish_turn` and `write_chores`. */
export function tasksJson(tasks: readonly DueTask[]): string {
  return JSON.stringify(tasks.map(({ kind, messageId }) => ({ kind, message_id: messageId })));
}

/** Releases the claim, fenced by its end: a process that has claimed the task since has a different one. */
async function release(
  transaction: Transaction,
  { conversationId, kind, leaseUntil }: ConversationTask,
  end: TaskEnd,
): Promise<boolean> {
  if (end === 'done') {
    const { count } = await transaction.conversationTask.deleteMany({
      where: { conversationId, kind, dueAt: leaseUntil },
    });
    return count === 1;
  }
  const updated = await transaction.$executeRaw`
    UPDATE chores
    SET due_at = now() + make_interval(secs => ${end.waitSeconds}), tries = CASE WHEN ${end.counted} THEN tries ELSE 0 END
    WHERE conversation_id = ${conversationId}::uuid AND kind = ${kind}::chore_kind AND due_at = ${leaseUntil}`;
  return updated === 1;
}

async function store(
  transaction: Transaction,
  { conversationId, userId }: ConversationTask,
  result: TaskResult & { readonly model: string },
): Promise<void> {
  if (result.type === 'title') {
    await transaction.conversation.updateMany({
      // Never overwrite a title that the user has set in the meantime.
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
