export { AccountAdminService } from './account-admin.service.js';
export { AccountQuotas } from './account-quotas.js';
export { AccountQuotasModule } from './account-quotas.module.js';
export { hashPassword, passwordMatches } from './password.js';
export { PURGE_HOOKS, PurgeHook } from './purge-hook.js';
export { SharedPasswordThrottle } from './shared-password-throttle.js';
export type { StoredUser } from './user.repository.js';
export { UserService } from './user.service.js';
export { UsersModule } from './users.module.js';
