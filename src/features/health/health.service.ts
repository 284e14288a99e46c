import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { ShutdownState } from '../../common/shutdown-state.js';
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

const SHUTTING_DOWN = 'The server is shutting down. Send requests to another one.';

@Injectable()
export class HealthService {
  constructor(
    private readonly repository: HealthRepository,
    private readonly models: ModelCatalog,
    private readonly redis: RedisConnection,
    private readonly shutdown: ShutdownState,
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

  /** @throws AppError `service_unavailable` if requests cannot be served, or soon will not be */
  async assertReady(): Promise<void> {
    const problem = this.shutdown.isRequested ? SHUTTING_DOWN : await this.repository.findDatabaseProblem();
    if (problem === undefined) return;
    throw new AppError('service_unavailable', problem, { retryAfterMs: 2000 });
  }
}
