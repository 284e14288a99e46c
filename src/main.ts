import { ApiApplication } from './app/api.application.js';
import { formatBanner } from './app/banner.js';
import { createLogger } from './infra/telemetry/index.js';
import { openConfiguredDatabase, printLine, startProcess } from './app/process-lifecycle.js';

let api: ApiApplication | undefined;

await startProcess(
  async (config, lifetime) => {
    const database = await lifetime.open(
      'the database',
      openConfiguredDatabase(config, (error) => {
        printLine(error.message);
        void lifetime.stop(1);
      }),
    );
    const logger = createLogger({ level: config.logLevel, readable: !config.production });
    const { connectionString } = database;
    api = await lifetime.open('the application', ApiApplication.create({ config, logger, connectionString }));
    const url = await api.listen(config.http.port, config.http.host);
    printLine(formatBanner({ config, database: database.description, url, ...(await api.modelSummary()) }));
  },
  () => api?.forceShutdown(),
);
