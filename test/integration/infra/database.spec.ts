// Real components: PostgreSQL, embedded and as an external server given by its URL.
import { join } from 'node:path';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { openDatabase } from '../../../src/infra/database/database.js';
import type { OpenDatabase, OpenDatabaseOptions } from '../../../src/infra/database/database.js';
import { startEmbeddedServer } from '../../../src/infra/database/embedded-server.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { makeSignal, makeTemporaryDirectory, queryOnce } from '../../support/embedded-database.js';

const migrationsDirectory = join(import.meta.dirname, '../../../prisma/migrations');
const directory = makeTemporaryDirectory();
const opened: OpenDatabase[] = [];

async function open(options: Partial<OpenDatabaseOptions>): Promise<OpenDatabase> {
  const database = await openDatabase({
    databaseUrl: undefined,
    dataDir: join(directory.path, 'embedded'),
    exclusive: true,
    migrationsDirectory,
    report: () => undefined,
    onLost: (error) => {
      throw error;
    },
    ...options,
  });
  opened.push(database);
  return database;
}

const isMigrated = { users: true };
const migrated = (connectionString: string): Promise<unknown> =>
  queryOnce(connectionString, "select to_regclass('users') is not null as users");

describe('opening the database', () => {
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });

  afterAll(async () => {
    await directory.remove();
  });

  describe('of the embedded server', () => {
    it('starts and migrates it, and closing stops it', async () => {
      const database = await open({});
      expect(database).toMatchObject({ kind: 'embedded' });
      expect(database.description).toMatch(/^embedded PostgreSQL 18\.\d+ in .*postgresql$/);
      expect(await migrated(database.connectionString)).toEqual(isMigrated);
      await database.close();
      await database.close();
      await expect(queryOnce(database.connectionString, 'select 1')).rejects.toThrow(/ECONNREFUSED/);
    });

    it('makes a second process wait for the first, and leaves the first process’s server running', async () => {
      const first = await open({});
      await expect(open({ lockWaitMs: 300 })).rejects.toThrow(/REDIS_URL/);
      expect(await migrated(first.connectionString)).toEqual(isMigrated);

      const waits = makeSignal<string>();
      const second = open({ report: waits.give });
      await waits.promise;
      await first.close();
      expect(await migrated((await second).connectionString)).toEqual(isMigrated);
    });

    it('restarts the server at the same address if it was stopped by another process', async () => {
      const back = makeSignal<string>();
      const database = await open({
        report: (line) => {
          if (line.includes('acquired again')) back.give(line);
        },
      });
      const server = await startEmbeddedServer({
        dataDir: join(directory.path, 'embedded'),
        report: () => undefined,
      });
      expect(server.adopted).toBe(true);
      await server.stop();
      await back.promise;
      expect(await migrated(database.connectionString)).toEqual(isMigrated);
    });

    // Must be the last of these tests: a failed migration stays in the history of this database.
    it('stops the server if a migration fails', async () => {
      const broken = join(directory.path, 'broken');
      cpSync(migrationsDirectory, broken, { recursive: true });
      mkdirSync(join(broken, '99999999999999_broken'));
      writeFileSync(join(broken, '99999999999999_broken', 'migration.sql'), 'select 1 / 0');
      await expect(open({ migrationsDirectory: broken })).rejects.toThrow(/99999999999999_broken failed/);
      const dataDir = join(directory.path, 'embedded');
      const server = await startEmbeddedServer({ dataDir, report: () => undefined });
      await server.stop();
      expect(server.adopted).toBe(false);
    });
  });

  describe('of an external server', () => {
    const databases: TestDatabase[] = [];

    const newDatabase = async (): Promise<TestDatabase> => {
      const database = await createTestDatabase();
      databases.push(database);
      return database;
    };

    afterAll(async () => {
      for (const database of databases) await database.drop();
    });

    it('migrates the database, locks it if exclusive, and does not stop the server', async () => {
      const { name, url: databaseUrl } = await newDatabase();
      const database = await open({ databaseUrl });
      expect(database).toMatchObject({ kind: 'external', connectionString: databaseUrl });
      const { host } = new URL(databaseUrl);
      expect(database.description).toMatch(/^PostgreSQL \d+\.\d+ at /);
      expect(database.description).toContain(` at ${host}/${name}`);
      await expect(open({ databaseUrl, lockWaitMs: 100 })).rejects.toThrow(/REDIS_URL/);
      await database.close();
      expect(await migrated(databaseUrl)).toEqual(isMigrated);
    });

    it('is possible for any number of processes with Redis', async () => {
      const { url: databaseUrl } = await newDatabase();
      await Promise.all([open({ databaseUrl, exclusive: false }), open({ databaseUrl, exclusive: false })]);
      expect(await migrated(databaseUrl)).toEqual(isMigrated);
    });

    it('fails if the server does not answer, and names DATABASE_URL without the password', async () => {
      const databaseUrl = 'postgresql://someone:secret@127.0.0.1:1/nowhere?sslpassword=secret';
      const refusal = open({ databaseUrl, connectWaitMs: 700 });
      await expect(refusal).rejects.toThrow(
        /cannot connect to the database of DATABASE_URL \(postgresql:\/\/someone:\*\*\*@127\.0\.0\.1:1\/nowhere.*ECONNREFUSED/,
      );
      await expect(refusal).rejects.not.toThrow(/secret/);
    });

    it('fails at once if the server refuses the login or the URL is invalid', async () => {
      const databaseUrl = (await newDatabase()).url.replace(/[^/]+$/, 'missing');
      await expect(open({ databaseUrl })).rejects.toThrow(/DATABASE_URL.*database "missing" does not exist/);
      await expect(open({ databaseUrl: 'not a url' })).rejects.toThrow(
        /DATABASE_URL is not a valid PostgreSQL URL/,
      );
    });
  });
});
