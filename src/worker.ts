import { NestFactory } from '@nestjs/core';
import { Logger } from 'nestjs-pino';
import { ShutdownState } from './common/shutdown-state.js';
import { RedisConnection } from './infra/redis/index.js';
import { createLogger, StartLogger } from './infra/telemetry/index.js';
import { openConfiguredDatabase, startProcess } from './app/process-lifecycle.js';
import { printLine } from './app/print-line.js';
import type { Runtime } from './app/runtime.js';
import { ApplicationCloser } from './app/application-closer.js';
import { exportRuntimeMetrics } from './app/runtime-metrics.js';
import { WorkerModule } from './app/worker.module.js';
import { WorkerServer } from './app/worker-server.js';

/** Maximum wait for Redis at startup before a notice is printed, in milliseconds. */
const REDIS_WAIT_MS = 1_000;

/** Creates the application as a resource that the process lifecycle closes. */
async function createApplication(runtime: Runtime) {
  const app = await NestFactory.createApplicationContext(WorkerModule.forRoot(runtime), {
    abortOnError: false,
    logger: new StartLogger(runtime.logger),
  });
  const closer = new ApplicationCloser(app);
  const close = (): Promise<void> => {
    app.get(ShutdownState).request();
    return closer.close();
  };
  return { app, close };
}

await startProcess(
  async (config, lifecycle) => {
    if (config.redisUrl === undefined) {
      throw new Error(
        'A worker process requires REDIS_URL. Without Redis, the API process runs the jobs itself.',
      );
    }
    const { connectionString } = await lifecycle.open(
      'the database',
      openConfiguredDatabase(config, (error) => {
        printLine(error.message);
        void lifecycle.stop(1);
      }),
    );
    const logger = createLogger({ level: config.logLevel, readable: !config.production });
    const monitoring = await lifecycle.open('the monitoring port', WorkerServer.listen(config));
    const runtime = { config, logger, connectionString };
    const { app } = await lifecycle.open('the application', createApplication(runtime));
    app.useLogger(app.get(Logger));
    exportRuntimeMetrics(app);
    monitoring.serve(app);
    printLine(`Parley ${config.version} worker: health and metrics at ${monitoring.url}`);
    const redis = app.get(RedisConnection);
    const announceStart = (): void => {
      printLine(`Parley ${config.version} worker: running jobs from Redis.`);
    };
    if (await redis.waitUntilReady(REDIS_WAIT_MS)) {
      announceStart();
    } else {
      printLine(
        `Parley ${config.version} worker: waiting for Redis (REDIS_URL). Jobs start once it is available.`,
      );
      void redis.waitUntilReady().then(announceStart);
    }
  },
  () => undefined,
);
