export { ProviderKeysModule } from './provider-keys.module.js';
export { StoredCredentialsModule } from './stored-credentials.module.js';
export { StoredCredentials } from './stored-credentials.js';
