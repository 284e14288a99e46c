import { NestFactory } from '@nestjs/core';
import { Logger } from 'nestjs-pino';
import { createLogger } from './infra/telemetry/index.js';
import { openConfiguredDatabase, say, startProcess } from './start-up.js';
import { WorkerModule } from './worker.module.js';

await startProcess(
  async (config, lifetime) => {
    if (config.redisUrl === undefined) {
      throw new Error(
        'A worker process needs REDIS_URL. Without Redis the API process runs the jobs itself.',
      );
    }
    const { connectionString } = await lifetime.open(
      openConfiguredDatabase(config, (error) => {
        say(error.message);
        void lifetime.stop(1);
      }),
    );
    const logger = createLogger({ level: config.logLevel, readable: !config.production });
    const module = WorkerModule.forRoot({ config, logger, connectionString });
    const app = await lifetime.open(
      NestFactory.createApplicationContext(module, {
        abortOnError: false,
        logger: ['warn', 'error', 'fatal'],
      }),
    );
    app.useLogger(app.get(Logger));
    say(`Parley ${config.version} worker: running jobs from Redis.`);
  },
  () => undefined,
);
