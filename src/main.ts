import cluster from 'node:cluster';
import { ApiApplication } from './app/api.application.js';
import { ApiProcesses } from './app/api-processes.js';
import { formatBanner } from './app/banner.js';
import { createLogger } from './infra/telemetry/index.js';
import { openConfiguredDatabase, startProcess } from './app/process-lifecycle.js';
import { printLine } from './app/print-line.js';

/** Time for the other API processes to end after their own maximum, in milliseconds. */
const PROCESS_END_MS = 1_000;

/** The server of the API: in this process, or in several that it starts. */
let api: ApiApplication | ApiProcesses | undefined;

/** True in the first of several API processes, which starts the others. */
const isFirstOf = (count: number): boolean => count > 1 && cluster.isPrimary;

await startProcess(
  async (config, lifecycle) => {
    if (isFirstOf(config.webConcurrency)) {
      lifecycle.extendShutdown(PROCESS_END_MS);
      api = await lifecycle.open('the API processes', ApiProcesses.start(config.webConcurrency));
      return;
    }
    const database = await lifecycle.open(
      'the database',
      openConfiguredDatabase(config, (error) => {
        printLine(error.message);
        // Another process owns the database now, so no further request may be served.
        if (api instanceof ApiApplication) api.endShutdownDelay();
        void lifecycle.stop(1);
      }),
    );
    const logger = createLogger({ level: config.logLevel, readable: !config.production });
    const { connectionString } = database;
    const application = await lifecycle.open(
      'the application',
      ApiApplication.create({ config, logger, connectionString }),
    );
    api = application;
    const url = await application.listen(config.http.port, config.http.host);
    // Of several processes, one speaks for all.
    if (cluster.worker !== undefined && cluster.worker.id !== 1) return;
    const models = await application.modelSummary();
    printLine(formatBanner({ config, database: database.description, url, ...models }));
  },
  () => api?.forceShutdown(),
);
