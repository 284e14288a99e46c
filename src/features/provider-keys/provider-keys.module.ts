import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { AuditModule } from '../audit/index.js';
import { ProviderKeyService } from './provider-key.service.js';
import { ProviderKeysController } from './provider-keys.controller.js';
import { StoredCredentialsModule } from './stored-credentials.module.js';

/** Routes for users' own provider keys, for the API. */
@Module({
  imports: [LlmModule, AuditModule, StoredCredentialsModule],
  controllers: [ProviderKeysController],
  providers: [ProviderKeyService],
})
export class ProviderKeysModule {}
