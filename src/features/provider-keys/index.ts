export { ProviderKeysModule } from './provider-keys.module.js';
export { StoredCredentials } from './stored-credentials.js';
