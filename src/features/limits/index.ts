export { LeaseBudget } from './lease-budget.js';
export { LimitsModule } from './limits.module.js';
export { StoreRequestLimiter } from './store-request.limiter.js';
