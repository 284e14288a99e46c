import { Injectable } from '@nestjs/common';
import { ACCESS_CHANNEL, serializeAccessChange } from '../../common/access-change.js';
import type { Actor } from '../../common/actor.js';
import { normalizeEmail } from '../../common/email-address.js';
import { NotFoundError } from '../../common/errors.js';
import { Broadcast } from '../../infra/redis/index.js';
import { type AuditAction, AuditService } from '../audit/index.js';
import { type StoredUser, type UserChanges, UserRepository } from './user.repository.js';

/** Manages accounts on behalf of admins. */
@Injectable()
export class AccountAdminService {
  constructor(
    private readonly users: UserRepository,
    private readonly audit: AuditService,
    private readonly broadcast: Broadcast,
  ) {}

  /** Lists accounts, newest first, optionally only those whose address begins with a prefix. */
  listUsers(
    emailPrefix: string | undefined,
    slice: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredUser[]> {
    return this.users.listUsers(emailPrefix === undefined ? undefined : normalizeEmail(emailPrefix), slice);
  }

  /**
   * Changes an account. A disabled account loses access immediately: its requests are rejected, and its running
   * operations stop.
   * @throws NotFoundError
   * @throws LastAdminError
   */
  async update(actor: Actor, userId: string, changes: UserChanges): Promise<StoredUser> {
    const user = await this.users.update(userId, changes);
    if (user === undefined) throw new NotFoundError('user', userId);
    await this.publishChange(userId, changes.disabled === true ? 'revoked' : 'changed');
    for (const [action, detail] of eventsOf(changes)) {
      await this.audit.record(action, { actor, userId, ...(detail && { detail }) });
    }
    return user;
  }

  private publishChange(userId: string, kind: 'changed' | 'revoked'): Promise<void> {
    return this.broadcast.publish(ACCESS_CHANNEL, serializeAccessChange({ kind, userId }));
  }
}

/**
 * Returns the audit events of a change. Disabling and enabling have their own actions; other changes are recorded
 * with their new values.
 */
function eventsOf(changes: UserChanges): [AuditAction, Record<string, string | null>?][] {
  const { disabled, role, quotaTokensDay, quotaCostMonthMicroUsd } = changes;
  const detail = {
    ...(role !== undefined && { role }),
    ...(quotaTokensDay !== undefined && { quota_tokens_day: shown(quotaTokensDay) }),
    ...(quotaCostMonthMicroUsd !== undefined && {
      quota_cost_month_micro_usd: shown(quotaCostMonthMicroUsd),
    }),
  };
  return [
    ...(Object.keys(detail).length > 0 ? [['user.updated', detail] as [AuditAction, typeof detail]] : []),
    ...(disabled === undefined ? [] : [[disabled ? 'user.disabled' : 'user.enabled'] as [AuditAction]]),
  ];
}

function shown(value: bigint | null): string | null {
  return value === null ? null : String(value);
}
