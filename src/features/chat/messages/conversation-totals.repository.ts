import type { Transaction } from '../../../infra/database/index.js';
import type { UsageSum } from '../../usage/index.js';

/**
 * Locks a conversation, always before the row of a message or task: every transaction locks them in this order, so
 * that there are no deadlocks.
 */
export async function lockConversation(transaction: Transaction, id: string): Promise<boolean> {
  const rows = await transaction.$queryRaw<
    unknown[]
  >`SELECT 1 FROM conversations WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
  return rows.length === 1;
}

/** Adds the usage of attempts, in the transaction that writes them to the ledger, so that the two agree. */
export async function addToTotals(
  transaction: Transaction,
  id: string,
  { tokens, costMicroUsd, unpricedAttempts }: UsageSum,
  updatedAt?: Date,
): Promise<void> {
  await transaction.conversation.update({
    where: { id },
    data: {
      tokensTotal: { increment: tokens },
      costMicroUsd: { increment: costMicroUsd },
      unpricedAttempts: { increment: unpricedAttempts },
      ...(updatedAt !== undefined && { updatedAt }),
    },
    select: { id: true },
  });
}

/** Returns true if the account still exists. */
export async function accountExists(transaction: Transaction, id: string): Promise<boolean> {
  return (await transaction.user.count({ where: { id } })) === 1;
}
