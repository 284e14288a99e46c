import { Module } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { Clock } from '../common/clock.js';
import { cacheConfig, llmConfig, providersConfig, ragConfig, tasksConfig } from '../config/index.js';
import { SharedCache } from '../infra/cache/index.js';
import { Metrics } from '../infra/metrics/index.js';
import { AnswerCache } from './cache/answer-cache.js';
import { CachedCalls } from './cache/cached-calls.js';
import { ModelCallMetrics } from './execution/model-call-metrics.js';
import { exportProviderMetrics } from './execution/provider-metrics.js';
import { configuredProviders } from './provider.factory.js';
import { LlmService } from './llm.service.js';
import { ModelCatalog } from './models/model-catalog.js';
import { configuredModels } from './models/configured-models.js';
import { ModelDirectory } from './models/model-directory.js';
import { ModelLabels } from './models/model-labels.js';
import { PriceTable } from './accounting/price-table.js';
import { ProviderGates } from './resilience/provider-gates.js';

/** The model layer with the configured providers. */
@Module({
  providers: [
    {
      provide: ModelDirectory,
      inject: [providersConfig.KEY, llmConfig.KEY],
      useFactory: async (
        providers: ConfigType<typeof providersConfig>,
        { defaultModel, aliases }: ConfigType<typeof llmConfig>,
      ) => new ModelDirectory(await configuredProviders(providers), defaultModel, aliases),
    },
    {
      provide: ProviderGates,
      inject: [llmConfig.KEY, Clock],
      useFactory: (llm: ConfigType<typeof llmConfig>, clock: Clock) => new ProviderGates(llm, clock),
    },
    {
      provide: AnswerCache,
      inject: [SharedCache, cacheConfig.KEY, llmConfig.KEY],
      useFactory: (
        store: SharedCache,
        { ttlMs }: ConfigType<typeof cacheConfig>,
        { deadlines }: ConfigType<typeof llmConfig>,
      ) => new AnswerCache(store, { ttlMs, waitMs: deadlines.firstTokenMs }),
    },
    {
      provide: CachedCalls,
      inject: [AnswerCache, ModelCallMetrics],
      useFactory: (cache: AnswerCache, metrics: ModelCallMetrics) =>
        new CachedCalls(cache, (hit) => {
          metrics.countLookup(hit);
        }),
    },
    {
      provide: ModelCallMetrics,
      inject: [
        Metrics,
        ModelDirectory,
        PriceTable,
        ProviderGates,
        llmConfig.KEY,
        tasksConfig.KEY,
        ragConfig.KEY,
      ],
      useFactory: (
        metrics: Metrics,
        directory: ModelDirectory,
        prices: PriceTable,
        gates: ProviderGates,
        llm: ConfigType<typeof llmConfig>,
        tasks: ConfigType<typeof tasksConfig>,
        { embeddingModel }: ConfigType<typeof ragConfig>,
      ) => {
        exportProviderMetrics(metrics, directory.providerIds(), gates, llm);
        const isConfigured = configuredModels({ ...llm, ...tasks, embeddingModel });
        const labels = new ModelLabels(
          (model) => isConfigured(model) || prices.isNamed(model) || directory.isListed(model),
        );
        return new ModelCallMetrics(metrics, labels);
      },
    },
    {
      provide: PriceTable,
      inject: [llmConfig.KEY],
      useFactory: ({ prices }: ConfigType<typeof llmConfig>) => new PriceTable(prices),
    },
    ModelCatalog,
    LlmService,
  ],
  exports: [LlmService, ModelCatalog, PriceTable],
})
export class LlmModule {}
