import { Module } from '@nestjs/common';
import { AccountAccessRepository } from './account-access.repository.js';
import { AccountAccessService } from './account-access.service.js';

/** Current permissions of accounts, in every process that works for them. */
@Module({ providers: [AccountAccessRepository, AccountAccessService], exports: [AccountAccessService] })
export class AccountAccessModule {}
