import { Module } from '@nestjs/common';
import { AccountLimits } from './account-limits.js';
import { BudgetModule, LeaseBudget, LimitsOf } from '../features/limits/index.js';
import { StoredCredentials, StoredCredentialsModule } from '../features/provider-keys/index.js';
import { BufferedUsageSink, UsageModule } from '../features/usage/index.js';
import { AccountQuotasModule } from '../features/users/index.js';
import { Budget, CredentialSource, UsageSink } from '../llm/index.js';

/** Implementations of the ports that the model layer defines, for every process that calls models. */
@Module({
  imports: [AccountQuotasModule, BudgetModule, StoredCredentialsModule, UsageModule],
  providers: [
    { provide: CredentialSource, useExisting: StoredCredentials },
    { provide: UsageSink, useExisting: BufferedUsageSink },
    { provide: LimitsOf, useClass: AccountLimits },
    { provide: Budget, useExisting: LeaseBudget },
  ],
  exports: [Budget, CredentialSource, LimitsOf, UsageSink],
})
export class BindingsModule {}
