import { Module } from '@nestjs/common';
import { UsageModule } from '../usage/index.js';
import { LeaseBudget } from './lease-budget.js';
import { LimitStores } from './limit-stores.js';
import { TokenLevels } from './token-levels.js';

/** What accounts may use of the models, for every process that asks one. */
@Module({
  imports: [UsageModule],
  providers: [LimitStores, TokenLevels, LeaseBudget],
  exports: [LimitStores, TokenLevels, LeaseBudget],
})
export class BudgetModule {}
