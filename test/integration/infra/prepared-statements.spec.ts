// Real components: PostgreSQL. What a pooler in transaction mode does to the names of statements is done to the connection.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { PrismaService } from '../../../src/infra/database/index.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

let database: TestDatabase;
const opened: PrismaService[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});

afterEach(async () => {
  for (const prisma of opened.splice(0)) await prisma.onApplicationShutdown();
});

afterAll(async () => {
  await database.drop();
});

/** Opens the database of a process with one connection. */
function open(): PrismaService {
  const prisma = new PrismaService({ connectionString: database.url, poolMax: 1 });
  opened.push(prisma);
  return prisma;
}

const ADD = 'SELECT $1::int + $2::int AS sum';

function add(prisma: PrismaService, one: number, other: number): Promise<{ sum: number }[]> {
  return prisma.query<{ sum: number }>(ADD, [one, other], { isPrepared: true });
}

/** Returns the statements that the connection keeps. */
async function kept(prisma: PrismaService): Promise<{ name: string; statement: string }[]> {
  return prisma.query(
    `SELECT name, statement FROM pg_prepared_statements WHERE name LIKE 'parley%' ORDER BY name`,
    [],
  );
}

describe('a statement that may be prepared', () => {
  it('is prepared once for each connection, under a name that depends on its text only', async () => {
    const [one, other] = [open(), open()];
    for (const prisma of [one, other]) {
      expect(await add(prisma, 1, 2)).toEqual([{ sum: 3 }]);
      expect(await add(prisma, 3, 4)).toEqual([{ sum: 7 }]);
    }
    const [statements, otherStatements] = [await kept(one), await kept(other)];
    expect(statements.map(({ statement }) => statement)).toEqual([ADD]);
    expect(otherStatements).toEqual(statements);
  });

  it('runs without a name from then on if the connection has lost it', async () => {
    const prisma = open();
    await add(prisma, 1, 2);
    await prisma.query('DEALLOCATE ALL', []);
    expect(await add(prisma, 3, 4)).toEqual([{ sum: 7 }]);
    expect(await add(prisma, 5, 6)).toEqual([{ sum: 11 }]);
    expect(await kept(prisma)).toEqual([]);
  });

  it('runs without a name if another client has prepared it on the connection', async () => {
    const [first, second] = [open(), open()];
    await add(first, 1, 2);
    const [{ name } = { name: '' }] = await kept(first);
    await second.query(`PREPARE ${name} (int, int) AS SELECT 0 AS sum`, []);
    expect(await add(second, 3, 4)).toEqual([{ sum: 7 }]);
  });

  it('runs without a name if its result has other columns since a migration', async () => {
    const prisma = open();
    await prisma.query('CREATE TABLE changing (id int)', []);
    const read = (): Promise<object[]> => prisma.query('SELECT * FROM changing', [], { isPrepared: true });
    expect(await read()).toEqual([]);
    await prisma.query('ALTER TABLE changing ADD COLUMN added int', []);
    await prisma.query('INSERT INTO changing VALUES (1, 2)', []);
    expect(await read()).toEqual([{ id: 1, added: 2 }]);
    // Others are still prepared.
    await add(prisma, 1, 2);
    expect((await kept(prisma)).map(({ statement }) => statement)).toContain(ADD);
  });

  it('has its settings in both cases, and no other statement has them', async () => {
    const prisma = open();
    const NAME = `SELECT current_setting('application_name') AS name`;
    const settings = { application_name: `it's changed` };
    const read = (): Promise<object[]> => prisma.query(NAME, [], { isPrepared: true, settings });
    expect(await read()).toEqual([{ name: `it's changed` }]);
    await prisma.query('DEALLOCATE ALL', []);
    expect(await read()).toEqual([{ name: `it's changed` }]);
    expect(await prisma.query(NAME, [])).toEqual([{ name: 'parley' }]);
  });

  it('is one of at most 48, so that the memory of a connection is bounded', async () => {
    const prisma = open();
    for (let number = 0; number < 60; number += 1)
      expect(await prisma.query(`SELECT ${number} AS number`, [], { isPrepared: true })).toEqual([
        { number },
      ]);
    expect(await kept(prisma)).toHaveLength(48);
  });

  it('fails as it is if the values are at fault, and others are still prepared', async () => {
    const prisma = open();
    await add(prisma, 1, 2);
    await expect(prisma.query(ADD, ['one', 2], { isPrepared: true })).rejects.toMatchObject({
      code: '22P02',
    });
    // The pool has replaced the connection.
    await add(prisma, 1, 2);
    expect(await kept(prisma)).toHaveLength(1);
  });
});
