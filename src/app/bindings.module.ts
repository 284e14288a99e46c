import { Module } from '@nestjs/common';
import { DependentFileRepository } from '../features/files/index.js';
import { LeaseBudget, LimitsModule } from '../features/limits/index.js';
import { StoredCredentials, StoredCredentialsModule } from '../features/provider-keys/index.js';
import { VersionFileRepository } from '../features/rag/index.js';
import { BufferedUsageSink, UsageModule } from '../features/usage/index.js';
import { Budget, CredentialSource, UsageSink } from '../llm/index.js';

/** Implementations of the ports that the model layer and the files define, for every process that calls models. */
@Module({
  imports: [LimitsModule, StoredCredentialsModule, UsageModule],
  providers: [
    { provide: CredentialSource, useExisting: StoredCredentials },
    { provide: UsageSink, useExisting: BufferedUsageSink },
    { provide: Budget, useExisting: LeaseBudget },
    { provide: DependentFileRepository, useClass: VersionFileRepository },
  ],
  exports: [Budget, CredentialSource, DependentFileRepository, UsageSink],
})
export class BindingsModule {}
