import { Module } from '@nestjs/common';
import { BudgetModule } from './budget.module.js';
import { StoreRequestLimiter } from './store-request.limiter.js';

/** What accounts and addresses may ask of the API. */
@Module({ imports: [BudgetModule], providers: [StoreRequestLimiter], exports: [StoreRequestLimiter] })
export class LimitsModule {}
