export { AuthModule } from './auth.module.js';
export { JwtAuthenticator } from './jwt.authenticator.js';
