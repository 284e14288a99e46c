export { BudgetModule } from './budget.module.js';
export { LeaseBudget } from './lease-budget.js';
export { LimitsModule } from './limits.module.js';
export { StoreRequestLimiter } from './store-request.limiter.js';
export { type Limits, LimitsOf } from './limits-of.js';
