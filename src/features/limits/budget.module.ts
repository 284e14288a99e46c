import { Module } from '@nestjs/common';
import { UsageModule } from '../usage/index.js';
import { LeaseBudget } from './lease-budget.js';
import { FailoverLimitStore } from './failover-limit-store.js';
import { TokenLevelCache } from './token-level-cache.js';

/** Provides the budgets of accounts to every process that calls models. */
@Module({
  imports: [UsageModule],
  providers: [FailoverLimitStore, TokenLevelCache, LeaseBudget],
  exports: [FailoverLimitStore, TokenLevelCache, LeaseBudget],
})
export class BudgetModule {}
