import type { Transaction } from '../../../infra/database/index.js';
import type { UsageSum } from '../../usage/index.js';

/** Always before a message's or a chore's row: everything that locks both does it in this order, so that nobody waits in a circle. */
export async function lockConversation(transaction: Transaction, id: string): Promise<boolean> {
  const rows = await transaction.$queryRaw<
    unknown[]
  >`SELECT 1 FROM conversations WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
  return rows.length === 1;
}

/** Adds what attempts came to, in the transaction that writes them into the ledger, so that the two agree. */
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

/** Whether an account is there still. */
export async function hasAccount(transaction: Transaction, id: string): Promise<boolean> {
  return (await transaction.user.count({ where: { id } })) === 1;
}
