import { type DynamicModule, Module } from '@nestjs/common';
import { ApiKeysModule } from '../features/api-keys/index.js';
import { AuditModule } from '../features/audit/index.js';
import { AuthModule, CredentialAuthenticator } from '../features/auth/index.js';
import { ChatModule, CancelTurnsDeletionHook } from '../features/chat/index.js';
import { AnalysisModule } from '../features/analysis/index.js';
import { BatchesModule } from '../features/batches/index.js';
import { FileDeletionHook, FilesModule } from '../features/files/index.js';
import { HealthModule } from '../features/health/index.js';
import { LimitsModule, StoreRequestLimiter } from '../features/limits/index.js';
import { RagModule } from '../features/rag/index.js';
import { QueueDashboardModule } from '../features/queue-dashboard/index.js';
import { ProviderKeysModule } from '../features/provider-keys/index.js';
import {
  AccountDeletionModule,
  USER_DELETION_HOOKS,
  type UserDeletionHook,
  UsersModule,
} from '../features/users/index.js';
import { UsageApiModule } from '../features/usage/index.js';
import { WebhooksModule } from '../features/webhooks/index.js';
import { ANTHROPIC_ERROR_FORMAT, AnthropicGatewayModule } from '../gateway/anthropic/index.js';
import { OLLAMA_ERROR_FORMAT, OllamaGatewayModule } from '../gateway/ollama/index.js';
import { OpenAiGatewayModule } from '../gateway/openai/index.js';
import { Authenticator, ErrorFormats, HttpModule, RequestLimiter } from '../http/index.js';
import { LlmModule } from '../llm/index.js';
import { CoreModule } from './core.module.js';
import type { Runtime } from './runtime.js';
import { JobsModule } from './jobs.module.js';
import { BindingsModule } from './bindings.module.js';

/** Implementations of the ports that `http/` and the accounts define. */
@Module({
  imports: [AuthModule, ChatModule, FilesModule, LimitsModule, LlmModule],
  providers: [
    { provide: Authenticator, useExisting: CredentialAuthenticator },
    { provide: RequestLimiter, useExisting: StoreRequestLimiter },
    {
      provide: USER_DELETION_HOOKS,
      inject: [CancelTurnsDeletionHook, FileDeletionHook],
      useFactory: (...hooks: UserDeletionHook[]): readonly UserDeletionHook[] => hooks,
    },
    { provide: ErrorFormats, useValue: new ErrorFormats([ANTHROPIC_ERROR_FORMAT, OLLAMA_ERROR_FORMAT]) },
  ],
  exports: [Authenticator, RequestLimiter, USER_DELETION_HOOKS, ErrorFormats],
})
class PortsModule {}

/** Root module of the API process. */
@Module({})
export class ApiModule {
  static forRoot(runtime: Runtime): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        CoreModule.forRoot(runtime),
        // First, because Express tries routes in the order of their registration, and these are requested most. Anthropic's
        // is before OpenAI's: on routes that both have, it handles the requests that specify its version.
        AnthropicGatewayModule,
        OpenAiGatewayModule,
        OllamaGatewayModule,
        { module: BindingsModule, global: true },
        { module: PortsModule, global: true },
        HttpModule,
        AuthModule,
        AccountDeletionModule,
        UsersModule,
        ApiKeysModule,
        AuditModule,
        ProviderKeysModule,
        AnalysisModule,
        ChatModule,
        FilesModule,
        RagModule,
        BatchesModule,
        WebhooksModule,
        UsageApiModule,
        QueueDashboardModule,
        HealthModule,
        ...(runtime.config.worker === 'inline' ? [JobsModule] : []),
      ],
    };
  }
}
