import { Module } from '@nestjs/common';
import { DependentFileRepository } from '../features/files/index.js';
import { LeaseBudget, LimitsModule } from '../features/limits/index.js';
import { StoredCredentials, StoredCredentialsModule } from '../features/provider-keys/index.js';
import { VersionFileRepository } from '../features/rag/index.js';
import { BufferedUsageSink, UsageModule } from '../features/usage/index.js';
import { OpenAiEndpointsModule } from '../gateway/openai/index.js';
import { Budget, CredentialSource, UsageSink } from '../llm/index.js';

/** Implementations of the ports that the model layer, files and batches define, for every process that calls models. */
@Module({
  imports: [LimitsModule, OpenAiEndpointsModule, StoredCredentialsModule, UsageModule],
  providers: [
    { provide: CredentialSource, useExisting: StoredCredentials },
    { provide: UsageSink, useExisting: BufferedUsageSink },
    { provide: Budget, useExisting: LeaseBudget },
    { provide: DependentFileRepository, useClass: VersionFileRepository },
  ],
  exports: [Budget, CredentialSource, DependentFileRepository, OpenAiEndpointsModule, UsageSink],
})
export class BindingsModule {}
