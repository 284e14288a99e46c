import { openConfiguredDatabase, startProcess } from './app/process-lifecycle.js';
import { printLine } from './app/print-line.js';

const USAGE = 'Usage: npm run migrate';

/** Maximum wait for a running server to release the embedded database, in milliseconds. */
const LOCK_WAIT_MS = 2_000;

await startProcess(
  async (config, lifecycle) => {
    if (process.argv.length > 2) throw new Error(USAGE);
    const stop = (error: Error): void => {
      printLine(error.message);
      void lifecycle.stop(1);
    };
    // Like any start, opening the database applies what is new. An external database may have running servers, which
    // a migration does not disturb; the embedded one belongs to a single process.
    const { description } = await lifecycle.open(
      'the database',
      openConfiguredDatabase(config, stop, { exclusive: false, lockWaitMs: LOCK_WAIT_MS }).catch(
        (error: unknown) => {
          throw explained(error);
        },
      ),
    );
    printLine(`The database has all migrations of Parley ${config.version}: ${description}.`);
    await lifecycle.stop(0);
  },
  () => undefined,
  'The database was not migrated:',
);

function explained(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'InstanceLockError') return error;
  return new Error(
    'Parley is running on the embedded database. Stop it to run this command, or just restart it: every start applies new migrations.',
  );
}
