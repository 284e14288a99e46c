export { AccountAdminService } from './account-admin.service.js';
export { hashPassword, passwordMatches } from './password.js';
export { PasswordThrottle } from './password-throttle.js';
export { PURGE_HOOKS, PurgeHook } from './purge-hook.js';
export type { StoredUser } from './user.repository.js';
export { UserService } from './user.service.js';
export { UsersModule } from './users.module.js';
