import { Module } from '@nestjs/common';
import { BudgetModule } from './budget.module.js';
import { StoreRequestLimiter } from './store-request.limiter.js';

/** Provides the request limits of accounts and addresses. */
@Module({ imports: [BudgetModule], providers: [StoreRequestLimiter], exports: [StoreRequestLimiter] })
export class LimitsModule {}
