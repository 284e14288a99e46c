export { AuthModule } from './auth.module.js';
export { CredentialAuthenticator } from './credential.authenticator.js';
