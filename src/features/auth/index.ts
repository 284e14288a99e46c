export { TOKEN_ISSUER } from './access-token.service.js';
export { AccessWatchModule } from './access-watch.module.js';
export { AccountAccessModule } from './account-access.module.js';
export { AccountAccessService } from './account-access.service.js';
export { AdminAccountService } from './admin-account.service.js';
export { AuthModule } from './auth.module.js';
export { CredentialAuthenticator } from './credential.authenticator.js';
export { SessionRepository } from './session.repository.js';
