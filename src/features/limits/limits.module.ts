import { Module } from '@nestjs/common';
import { UsageModule } from '../usage/index.js';
import { AccountQuotasModule } from '../users/index.js';
import { AccountLimits } from './account-limits.js';
import { FailoverLimitStore } from './failover-limit-store.js';
import { LeaseBudget } from './lease-budget.js';
import { StoreRequestLimiter } from './store-request.limiter.js';
import { TokenLevelCache } from './token-level-cache.js';

/** Provides the budgets of accounts to every process that calls models, and the request limits to the API. */
@Module({
  imports: [AccountQuotasModule, UsageModule],
  providers: [AccountLimits, FailoverLimitStore, LeaseBudget, StoreRequestLimiter, TokenLevelCache],
  exports: [LeaseBudget, StoreRequestLimiter],
})
export class LimitsModule {}
