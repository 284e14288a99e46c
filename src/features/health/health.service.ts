import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { VERSION } from '../../config/index.js';
import { RedisConnection } from '../../infra/redis/index.js';
import { ModelCatalog, type ProviderHealth } from '../../llm/index.js';
import { HealthRepository } from './health.repository.js';

/** Health of the service and its dependencies. */
export interface Health {
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly version: string;
  readonly database: 'ok' | 'unavailable';
  /** Undefined if the server runs without Redis. */
  readonly redis: 'ok' | 'unavailable' | undefined;
  readonly providers: readonly ProviderHealth[];
}

@Injectable()
export class HealthService {
  constructor(
    private readonly repository: HealthRepository,
    private readonly models: ModelCatalog,
    private readonly redis: RedisConnection,
  ) {}

  /** Returns the state of the database, of Redis and of each provider. */
  async overall(): Promise<Health> {
    const [answers, redisAnswers, providers] = await Promise.all([
      this.repository.databaseAnswers(),
      this.redis.isReachable(),
      this.models.providerHealth(),
    ]);
    const isWhole = redisAnswers && providers.every((provider) => provider.status === 'ok');
    return {
      status: answers ? (isWhole ? 'ok' : 'degraded') : 'unavailable',
      version: VERSION,
      database: answers ? 'ok' : 'unavailable',
      redis: this.redis.client && (redisAnswers ? 'ok' : 'unavailable'),
      providers,
    };
  }

  /** @throws AppError `service_unavailable` if requests cannot be served */
  async assertReady(): Promise<void> {
    if (await this.repository.databaseAnswers()) return;
    throw new AppError('service_unavailable', 'The database is unavailable. Try again in a few seconds.', {
      retryAfterMs: 2000,
    });
  }
}
