import { Module } from '@nestjs/common';
import { UsageModule } from '../usage/index.js';
import { LeaseBudget } from './lease-budget.js';
import { LimitStores } from './limit-stores.js';
import { StoreRequestLimiter } from './store-request.limiter.js';
import { TokenLevels } from './token-levels.js';

/** What accounts and addresses may use. */
@Module({
  imports: [UsageModule],
  providers: [LimitStores, TokenLevels, LeaseBudget, StoreRequestLimiter],
  exports: [LeaseBudget, StoreRequestLimiter],
})
export class LimitsModule {}
