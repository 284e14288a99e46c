import { WorkerHost } from '@nestjs/bullmq';
import type { INestApplicationContext } from '@nestjs/common';
import { ActiveGenerations } from '../features/chat/index.js';
import { PrismaService } from '../infra/database/index.js';
import { CachedQuery, Metrics } from '../infra/metrics/index.js';
import { ManagedQueue, ManagedWorker } from '../infra/queue/index.js';
import { RedisConnection } from '../infra/redis/index.js';
import { instancesOf } from './instances-of.js';

/** Name of the one pool in the labels of its metrics. */
const POOL = { db_client_connection_pool_name: 'main' } as const;

/** Number of jobs of a queue in each state. */
interface JobCounts {
  readonly queue: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** Exports the state of the resources of an initialized application: its database pool, Redis, its queues and answers. */
export function exportRuntimeMetrics(app: INestApplicationContext): void {
  const metrics = app.get(Metrics);
  const instances = [...instancesOf(app)];
  exportPool(metrics, app.get(PrismaService));
  exportRedis(metrics, app.get(RedisConnection));
  exportQueues(
    metrics,
    instances.filter((instance) => instance instanceof ManagedQueue),
  );
  for (const instance of instances) {
    if (instance instanceof ActiveGenerations) exportGenerations(metrics, instance);
    else if (instance instanceof WorkerHost) {
      const worker: unknown = instance.worker;
      if (worker instanceof ManagedWorker) countJobs(metrics, worker);
    }
  }
}

function exportPool(metrics: Metrics, database: PrismaService): void {
  metrics.addCollector(() => {
    const { max, total, idle, waiting } = database.poolState;
    metrics.databaseConnections.set({ ...POOL, db_client_connection_state: 'idle' }, idle);
    metrics.databaseConnections.set({ ...POOL, db_client_connection_state: 'used' }, total - idle);
    metrics.databaseConnectionLimit.set(POOL, max);
    metrics.databasePending.set(POOL, waiting);
  });
}

function exportRedis(metrics: Metrics, { client }: RedisConnection): void {
  if (client === undefined) {
    metrics.redisConnected.remove();
    return;
  }
  metrics.addCollector(() => {
    metrics.redisConnected.set(client.status === 'ready' ? 1 : 0);
  });
}

function exportGenerations(metrics: Metrics, active: ActiveGenerations): void {
  metrics.addCollector(() => {
    metrics.runningGenerations.set(active.size);
  });
}

/** Exports the numbers of jobs. While they cannot be queried, there are none, instead of the last ones forever. */
function exportQueues(metrics: Metrics, queues: readonly ManagedQueue[]): void {
  if (queues.length === 0) return;
  const query = new CachedQuery(() => Promise.all(queues.map(countsOf)));
  metrics.addCollector(async () => {
    const queried = await query.get();
    metrics.collectorUp.set({ collector: 'jobs' }, queried === undefined ? 0 : 1);
    metrics.jobs.reset();
    for (const { queue, counts } of queried ?? []) {
      for (const [state, count] of Object.entries(counts)) {
        metrics.jobs.set({ queue, job_state: state }, count);
      }
    }
  });
}

/** @throws Error while Redis is unavailable, instead of waiting for its return */
async function countsOf(queue: ManagedQueue): Promise<JobCounts> {
  if (queue.connection.isUnavailable) throw new Error('The job queue has no connection.');
  const { completed: _removed, ...counts } = await queue.getJobCounts();
  return { queue: queue.name, counts };
}

function countJobs(metrics: Metrics, worker: ManagedWorker): void {
  for (const outcome of ['completed', 'failed'] as const) {
    const labels = { queue: worker.name, job_outcome: outcome };
    metrics.finishedJobs.inc(labels, 0);
    worker.on(outcome, () => {
      metrics.finishedJobs.inc(labels);
    });
  }
}
