import cluster from 'node:cluster';
import type { ApiApplication } from './app/api.application.js';
import { ApiProcesses } from './app/api-processes.js';
import { formatBanner } from './app/banner.js';
import { createLogger } from './infra/telemetry/index.js';
import { openConfiguredDatabase, startProcess } from './app/process-lifecycle.js';
import { printLine } from './app/print-line.js';

/** Time for the other API processes to end after their own maximum, in milliseconds. */
const PROCESS_END_MS = 1_000;

/** The server of the API in this process. */
let application: ApiApplication | undefined;

/** The processes that this one has started instead, in which the server of the API is. */
let processes: ApiProcesses | undefined;

/** True in the first of several API processes, which starts the others. */
const isFirstOf = (count: number): boolean => count > 1 && cluster.isPrimary;

await startProcess(
  async (config, lifecycle) => {
    if (isFirstOf(config.webConcurrency)) {
      lifecycle.extendShutdown(PROCESS_END_MS);
      processes = await lifecycle.open('the API processes', ApiProcesses.start(config.webConcurrency));
      return;
    }
    // Loaded only here, because it takes most of the time and memory of a start and the first of several processes has no
    // use for it; and before the database, so that a process that waits for another one to end takes over at once.
    const { ApiApplication } = await import('./app/api.application.js');
    const database = await lifecycle.open(
      'the database',
      openConfiguredDatabase(config, (error) => {
        printLine(error.message);
        // Another process owns the database now, so no further request may be served.
        application?.endShutdownDelay();
        void lifecycle.stop(1);
      }),
    );
    const logger = createLogger({ level: config.logLevel, readable: !config.production });
    const { connectionString } = database;
    application = await lifecycle.open(
      'the application',
      ApiApplication.create({ config, logger, connectionString }),
    );
    const url = await application.listen(config.http.port, config.http.host);
    // Of several processes, one speaks for all.
    if (cluster.worker !== undefined && cluster.worker.id !== 1) return;
    const models = await application.modelSummary();
    printLine(formatBanner({ config, database: database.description, url, ...models }));
  },
  () => (application ?? processes)?.forceShutdown(),
);
