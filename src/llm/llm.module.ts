import { Module } from '@nestjs/common';
import { AppConfig } from '../config/index.js';
import { LlmService } from './llm.service.js';
import { ModelDirectory } from './model-directory.js';
import type { ModelProvider } from './port/index.js';
import { DemoProvider } from './providers/demo/demo.provider.js';
import { ProviderGates } from './resilience/provider-gates.js';
import { OpenAiProvider } from './providers/openai/openai.provider.js';

/** The model layer, with the providers that the configuration names. */
@Module({
  providers: [
    {
      provide: ModelDirectory,
      inject: [AppConfig],
      useFactory: ({ llm }: AppConfig) => new ModelDirectory(providersOf(llm), llm.defaultModel, llm.aliases),
    },
    {
      provide: ProviderGates,
      inject: [AppConfig],
      useFactory: ({ llm }: AppConfig) => new ProviderGates(llm),
    },
    LlmService,
  ],
  exports: [LlmService],
})
export class LlmModule {}

/** In the order in which a bare model name is looked up. */
function providersOf(llm: AppConfig['llm']): ModelProvider[] {
  const { apiKey, baseUrl } = llm.openai;
  const providers: ModelProvider[] = [];
  if (apiKey !== undefined || baseUrl !== undefined) {
    const connectTimeoutMs = llm.deadlines.connectMs;
    providers.push(new OpenAiProvider({ id: 'openai', apiKey, baseUrl, connectTimeoutMs }));
  }
  providers.push(new DemoProvider({ tokensPerSecond: llm.demoTokensPerSecond }));
  return providers;
}
