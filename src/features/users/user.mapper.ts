import { fromUsd, toUsd } from '../../common/money.js';
import type { UpdateUserBody, UserBody } from './user.dto.js';
import type { StoredUser, UserChanges } from './user.repository.js';

/** Converts an account to its API representation, for its owner and for admins. */
export function toUserBody(user: StoredUser): UserBody {
  const { id, email, role, disabledAt, quotaTokensDay, quotaCostMonthMicroUsd, createdAt } = user;
  return {
    id,
    email,
    role,
    disabled: disabledAt !== null,
    quota_tokens_day: quotaTokensDay === null ? null : Number(quotaTokensDay),
    quota_cost_month_usd: toUsd(quotaCostMonthMicroUsd),
    created_at: createdAt.toISOString(),
  };
}

/** Converts an admin's request to changes. */
export function toUserChanges(body: UpdateUserBody): UserChanges {
  const { role, disabled, quota_tokens_day: tokens, quota_cost_month_usd: cost } = body;
  return {
    role,
    disabled,
    quotaTokensDay: typeof tokens === 'number' ? BigInt(tokens) : tokens,
    quotaCostMonthMicroUsd: typeof cost === 'number' ? fromUsd(cost) : cost,
  };
}
