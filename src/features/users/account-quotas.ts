import { Injectable } from '@nestjs/common';
import { UserRepository } from './user.repository.js';

/** Quotas that an admin has set for an account; null for the server's default. */
export interface AccountQuota {
  readonly quotaTokensDay: bigint | null;
  readonly quotaCostMonthMicroUsd: bigint | null;
}

/** Reads the quotas of accounts for usage accounting. */
@Injectable()
export class AccountQuotas {
  constructor(private readonly users: UserRepository) {}

  /** Returns an account's quotas; null if the account no longer exists. */
  findQuota(userId: string): Promise<AccountQuota | null> {
    return this.users.findById(userId);
  }
}
