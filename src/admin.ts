import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { NestFactory } from '@nestjs/core';
import { AdminModule } from './app/admin.module.js';
import { AdminAccountService } from './features/auth/index.js';
import { openConfiguredDatabase, startProcess } from './app/process-lifecycle.js';
import { printLine } from './app/print-line.js';

const USAGE = 'Usage: npm run admin:create -- <email> [--password-stdin]';

/** How long to wait for a running server to release the embedded database, in milliseconds. */
const LOCK_WAIT_MS = 2_000;

await startProcess(
  async (config, lifecycle) => {
    const words = process.argv.slice(2);
    const [email, ...rest] = words.filter((word) => !word.startsWith('--'));
    const options = words.filter((word) => word.startsWith('--'));
    if (email === undefined || rest.length > 0 || options.some((option) => option !== '--password-stdin'))
      throw new Error(USAGE);
    const given = options.length > 0 ? (await text(process.stdin)).replace(/\r?\n$/, '') : undefined;
    const password = given ?? randomBytes(18).toString('base64url');

    const stop = (error: Error): void => {
      printLine(error.message);
      void lifecycle.stop(1);
    };
    // This command can run alongside a server on an external database, but not on the embedded one.
    const { connectionString } = await lifecycle.open(
      'the database',
      openConfiguredDatabase(config, stop, { exclusive: false, lockWaitMs: LOCK_WAIT_MS }).catch(
        (error: unknown) => {
          throw explained(error);
        },
      ),
    );
    const app = await lifecycle.open(
      'the application',
      NestFactory.createApplicationContext(AdminModule.forRoot({ config, connectionString }), {
        abortOnError: false,
        logger: ['warn', 'error', 'fatal'],
      }),
    );
    const how = await app.get(AdminAccountService).create(email, password);
    if (how === 'promoted') printLine(`${email} is now an admin. The password is unchanged.`);
    else
      printLine(
        `${email} is an admin.${given === undefined ? ` The password, shown only once: ${password}` : ''}`,
      );
    await lifecycle.stop(0);
  },
  () => undefined,
  'No admin was created:',
);

function explained(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'InstanceLockError') return error;
  return new Error(
    'Parley is running on the embedded database. Stop it to run this command, or have an admin change the role with PATCH /api/v1/users/{id}.',
  );
}
