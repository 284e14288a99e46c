import { Module } from '@nestjs/common';
import { AccountQuotas } from './account-quotas.js';
import { UserRepository } from './user.repository.js';

/** Quotas of accounts, for every process; account management itself is for the API. */
@Module({ providers: [UserRepository, AccountQuotas], exports: [AccountQuotas] })
export class AccountQuotasModule {}
