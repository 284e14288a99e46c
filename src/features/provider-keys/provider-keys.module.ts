import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { AuditModule } from '../audit/index.js';
import { ProviderKeyRepository } from './provider-key.repository.js';
import { ProviderKeyService } from './provider-key.service.js';
import { ProviderKeysController } from './provider-keys.controller.js';
import { StoredCredentials } from './stored-credentials.js';

@Module({
  imports: [LlmModule, AuditModule],
  controllers: [ProviderKeysController],
  providers: [ProviderKeyRepository, ProviderKeyService, StoredCredentials],
  exports: [StoredCredentials],
})
export class ProviderKeysModule {}
