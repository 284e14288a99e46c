// Real components: two built API processes, one of which is killed, PostgreSQL, a Redis server, and the store of the run.
import { type ClientRequest, request as openRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Clock } from '../../src/common/clock.js';
import { ContentSweepRepository } from '../../src/features/files/content-sweep.repository.js';
import { FileRepository } from '../../src/features/files/file.repository.js';
import { FileSweep } from '../../src/features/files/file-sweep.js';
import { RemovedFolderRepository } from '../../src/features/files/removed-folder.repository.js';
import { RemovedFolderSweep } from '../../src/features/files/removed-folder-sweep.js';
import { PrismaService } from '../../src/infra/database/index.js';
import { idOf } from '../support/accounts.js';
import { registerUser, type TestUser, userWith } from '../support/client.js';
import { LaterClock } from '../support/clock.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { setUpFileStore, storedNames } from '../support/file-store.js';
import { UNLIMITED } from '../support/limits.js';
import { HAS_REDIS_SERVER, RedisServer } from '../support/redis-server.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, until } from '../support/stored.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

/** Maximum duration of the start of two processes, and of a test that starts them, on a busy machine, in milliseconds. */
const START_MS = 300_000;

const BODY =
  '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nLate\r\n--b--\r\n';

if (!HAS_REDIS_SERVER)
  process.stderr.write('SKIPPED: uploads of deleted accounts: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('an upload whose account another process deletes', () => {
  const store = setUpFileStore();
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let database: TestDatabase;
  let redis: RedisServer;
  let holder: pg.Client;
  const servers: ServerProcess[] = [];

  function start(): ServerProcess {
    const server = startServer({
      DATA_DIR: dataDir.path,
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      WORKER: 'separate',
      JWT_SECRET: SECRET,
      ENCRYPTION_KEY: SECRET,
      // An upload reads the storage that its account uses before it stores anything.
      QUOTA_STORAGE_MB: '10',
      ...UNLIMITED,
      ...store().settings,
    });
    servers.push(server);
    return server;
  }

  beforeAll(async () => {
    [dataDir, database, redis] = await Promise.all([
      makeDataDir(),
      createMigratedDatabase(),
      RedisServer.reserve(),
    ]);
    await redis.start();
    holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
  }, START_MS);

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await holder.end();
    await redis.stop();
    await database.drop();
    await dataDir.remove();
  }, START_MS);

  /** Sends an upload as a whole. */
  function beginUpload(url: string, { token }: TestUser): ClientRequest {
    const outgoing = openRequest(`${url}/api/v1/files`, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': Buffer.byteLength(BODY),
      },
    });
    outgoing.on('error', () => undefined);
    outgoing.end(BODY);
    return outgoing;
  }

  async function isWaiting(statement: string): Promise<boolean> {
    const sql = `SELECT 1 FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1 AND pid <> pg_backend_pid()`;
    return (await query(database, sql, [`%${statement}%`])).length > 0;
  }

  async function withPrisma<Result>(work: (prisma: PrismaService) => Promise<Result>): Promise<Result> {
    const prisma = new PrismaService({ connectionString: database.url, poolMax: 2 });
    return work(prisma).finally(() => prisma.onApplicationShutdown());
  }

  const sweepFiles = (clock: Clock): Promise<number> =>
    withPrisma((prisma) => {
      const contents = new ContentSweepRepository(prisma);
      return new FileSweep(new FileRepository(prisma), store().storage, clock, contents).run();
    });

  const sweepFolders = (clock: Clock): Promise<number> =>
    withPrisma((prisma) =>
      new RemovedFolderSweep(new RemovedFolderRepository(prisma), store().storage, clock).run(),
    );

  it(
    'leaves bytes if it is killed before it removes them, and the sweep removes them after a day',
    async () => {
      const [uploader, other] = [start(), start()];
      const [url, otherUrl] = await Promise.all([uploader.ready, other.ready]);
      // The first account is the last admin, which cannot be deleted.
      await registerUser(otherUrl);
      const user = await registerUser(otherUrl);
      const userId = await idOf(user);

      // The upload is admitted, and has stored nothing yet.
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE file_contents IN ACCESS EXCLUSIVE MODE');
      const outgoing = beginUpload(url, userWith(url, user.token));
      await until('the upload to be admitted', () => isWaiting('file_contents'));
      uploader.child.kill('SIGSTOP');
      await holder.query('COMMIT');

      // Without Redis the uploader does not learn of the deletion before its next look at the database.
      await redis.stop();
      await user.request('DELETE', '/api/v1/users/me');
      await until(
        'the account to be gone',
        async () => (await query(database, 'SELECT 1 FROM users WHERE id = $1', [userId])).length === 0,
      );
      expect(await storedNames(store(), userId)).toEqual([]);

      // From here on it cannot look at accounts: neither to abort the upload nor to find that its account is gone.
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
      const broken = new Promise((resolve) => outgoing.once('close', resolve));
      uploader.child.kill('SIGCONT');
      await until('the bytes', async () => (await storedNames(store(), userId)).length === 1);
      await uploader.end('SIGKILL');
      await broken;
      await holder.query('COMMIT');

      expect(await sweepFiles(new LaterClock())).toBe(0);
      expect(await sweepFolders(new Clock())).toBe(0);
      expect(await storedNames(store(), userId)).toHaveLength(1);
      expect(await sweepFolders(new LaterClock())).toBe(1);
      expect(await storedNames(store(), userId)).toEqual([]);
      expect(await query(database, 'SELECT 1 FROM removed_folders')).toEqual([]);
    },
    START_MS,
  );
});
