import { Module } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppConfig } from '../config/index.js';
import { SharedCache } from '../infra/cache/index.js';
import { AnswerCache } from './cache/answer-cache.js';
import { CachedCalls } from './cache/cached-calls.js';
import { configuredProviders } from './provider.factory.js';
import { LlmService } from './llm.service.js';
import { ModelCatalog } from './models/model-catalog.js';
import { ModelDirectory } from './models/model-directory.js';
import { PricesModule } from './prices.module.js';
import { ProviderGates } from './resilience/provider-gates.js';

/** The model layer with the configured providers. */
@Module({
  imports: [PricesModule],
  providers: [
    {
      provide: ModelDirectory,
      inject: [AppConfig],
      useFactory: async ({ llm }: AppConfig) =>
        new ModelDirectory(await configuredProviders(llm), llm.defaultModel, llm.aliases),
    },
    {
      provide: ProviderGates,
      inject: [AppConfig, Clock],
      useFactory: ({ llm }: AppConfig, clock: Clock) => new ProviderGates(llm, clock),
    },
    {
      provide: AnswerCache,
      inject: [SharedCache, AppConfig],
      useFactory: (store: SharedCache, { cache, llm }: AppConfig) =>
        new AnswerCache(store, { ttlMs: cache.ttlMs, waitMs: llm.deadlines.firstTokenMs }),
    },
    {
      provide: CachedCalls,
      inject: [AnswerCache],
      useFactory: (cache: AnswerCache) => new CachedCalls(cache),
    },
    ModelCatalog,
    LlmService,
  ],
  exports: [LlmService, ModelCatalog],
})
export class LlmModule {}
