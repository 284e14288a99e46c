import { Module } from '@nestjs/common';
import { LeaseBudget, LimitsModule } from '../features/limits/index.js';
import { StoredCredentials, StoredCredentialsModule } from '../features/provider-keys/index.js';
import { BufferedUsageSink, UsageModule } from '../features/usage/index.js';
import { Budget, CredentialSource, UsageSink } from '../llm/index.js';

/** Implementations of the ports that the model layer defines, for every process that calls models. */
@Module({
  imports: [LimitsModule, StoredCredentialsModule, UsageModule],
  providers: [
    { provide: CredentialSource, useExisting: StoredCredentials },
    { provide: UsageSink, useExisting: BufferedUsageSink },
    { provide: Budget, useExisting: LeaseBudget },
  ],
  exports: [Budget, CredentialSource, UsageSink],
})
export class BindingsModule {}
