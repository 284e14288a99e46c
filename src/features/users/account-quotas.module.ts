import { Module } from '@nestjs/common';
import { AccountQuotas } from './account-quotas.js';
import { UserRepository } from './user.repository.js';

/** The quotas of accounts, for every process; the accounts themselves are for the API. */
@Module({ providers: [UserRepository, AccountQuotas], exports: [AccountQuotas] })
export class AccountQuotasModule {}
