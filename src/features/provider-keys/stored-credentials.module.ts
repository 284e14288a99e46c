import { Module } from '@nestjs/common';
import { ProviderKeyRepository } from './provider-key.repository.js';
import { StoredCredentials } from './stored-credentials.js';

/** Users' own provider keys as a credential source, for every process that calls models. */
@Module({
  providers: [ProviderKeyRepository, StoredCredentials],
  exports: [ProviderKeyRepository, StoredCredentials],
})
export class StoredCredentialsModule {}
