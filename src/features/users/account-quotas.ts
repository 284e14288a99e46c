import { Injectable } from '@nestjs/common';
import { UserRepository } from './user.repository.js';

/** What an admin has set for an account; null stands for the server's default. */
export interface AccountQuota {
  readonly quotaTokensDay: bigint | null;
  readonly quotaCostMonthMicroUsd: bigint | null;
}

/** The quotas of accounts, for whoever counts what they use. */
@Injectable()
export class AccountQuotas {
  constructor(private readonly users: UserRepository) {}

  /** Null where the account is gone. */
  of(userId: string): Promise<AccountQuota | null> {
    return this.users.findById(userId);
  }
}
