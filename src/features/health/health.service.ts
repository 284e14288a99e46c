import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { VERSION } from '../../config/index.js';
import { RedisConnection } from '../../infra/redis/index.js';
import { LlmService, type ProviderHealth } from '../../llm/index.js';
import { HealthRepository } from './health.repository.js';

/** How everything is. */
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
    private readonly llm: LlmService,
    private readonly redis: RedisConnection,
  ) {}

  /** Returns the state of the database, of Redis and of each provider. */
  async overall(): Promise<Health> {
    const [answers, redisAnswers, providers] = await Promise.all([
      this.repository.databaseAnswers(),
      this.redis.answers(),
      this.llm.health(),
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

  /** @throws AppError `service_unavailable` where requests cannot be served */
  async assertReady(): Promise<void> {
    if (await this.repository.databaseAnswers()) return;
    throw new AppError('service_unavailable', 'The database cannot be reached at the moment.', {
      retryAfterMs: 2000,
    });
  }
}
