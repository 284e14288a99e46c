import { Module } from '@nestjs/common';
import { ProviderKeyRepository } from './provider-key.repository.js';
import { StoredCredentials } from './stored-credentials.js';

/** The users' own keys as the model layer takes them, for every process that asks a model. */
@Module({
  providers: [ProviderKeyRepository, StoredCredentials],
  exports: [ProviderKeyRepository, StoredCredentials],
})
export class StoredCredentialsModule {}
