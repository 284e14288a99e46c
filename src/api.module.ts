import { type DynamicModule, Module } from '@nestjs/common';
import { AuthModule, JwtAuthenticator } from './features/auth/index.js';
import { ChatModule } from './features/chat/index.js';
import { HealthModule } from './features/health/index.js';
import { LeaseBudget, LimitsModule, StoreRequestLimiter } from './features/limits/index.js';
import { UsersModule } from './features/users/index.js';
import { BufferedUsageSink, UsageApiModule, UsageModule } from './features/usage/index.js';
import { ANTHROPIC_ERRORS, AnthropicGatewayModule } from './gateway/anthropic/index.js';
import { OLLAMA_ERROR_WIRE, OllamaGatewayModule } from './gateway/ollama/index.js';
import { OpenAiGatewayModule } from './gateway/openai/index.js';
import { Authenticator, ErrorWires, HttpModule, RequestLimiter } from './http/index.js';
import { Budget, UsageSink } from './llm/index.js';
import { InfrastructureModule } from './infrastructure.module.js';
import type { Runtime } from './runtime.js';
import { JobsModule } from './jobs.module.js';

/** The implementations of the ports that lower layers own. */
@Module({
  imports: [AuthModule, LimitsModule, UsageModule],
  providers: [
    { provide: Authenticator, useExisting: JwtAuthenticator },
    { provide: UsageSink, useExisting: BufferedUsageSink },
    { provide: Budget, useExisting: LeaseBudget },
    { provide: RequestLimiter, useExisting: StoreRequestLimiter },
    { provide: ErrorWires, useValue: new ErrorWires([ANTHROPIC_ERRORS, OLLAMA_ERROR_WIRE]) },
  ],
  exports: [Authenticator, Budget, RequestLimiter, UsageSink, ErrorWires],
})
class PortsModule {}

/** The API process. */
@Module({})
export class ApiModule {
  static forRoot(runtime: Runtime): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        InfrastructureModule.forRoot(runtime),
        { module: PortsModule, global: true },
        HttpModule,
        AuthModule,
        UsersModule,
        ChatModule,
        UsageApiModule,
        HealthModule,
        // Before OpenAI's: of the routes that both have, it takes the requests that name its version.
        AnthropicGatewayModule,
        OpenAiGatewayModule,
        OllamaGatewayModule,
        ...(runtime.config.worker === 'inline' ? [JobsModule] : []),
      ],
    };
  }
}
