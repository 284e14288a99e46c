// Filters by metadata as SQL, on a table with a few documents.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { filterToSql } from '../../../../src/features/rag/chunks/filter.sql.js';
import { parseMetadataFilter } from '../../../../src/features/rag/model/filter.js';
import { Prisma } from '../../../../src/generated/prisma/client.js';
import { createTestDatabase, type TestDatabase } from '../../../support/database.js';

const documents: Readonly<Record<string, object>> = {
  a: { lang: 'en', year: 2020, tags: ['news', 'old'], draft: true },
  b: { lang: 'vi', year: '2020', tags: 'news' },
  c: { lang: 'zh', year: 2024.5, 'it\'s a "name"': 'x', draft: false },
  d: {},
};

describe('a filter in SQL', () => {
  let database: TestDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('CREATE TABLE documents (id text, metadata jsonb)');
    for (const [id, metadata] of Object.entries(documents))
      await client.query('INSERT INTO documents VALUES ($1, $2)', [id, metadata]);
  });

  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  async function findIds(filter: object): Promise<string> {
    const condition = filterToSql(parseMetadataFilter(filter), Prisma.sql`metadata`);
    const { text, values } = Prisma.sql`
      SELECT string_agg(id, '' ORDER BY id) FILTER (WHERE ${condition}) AS ids,
        count(*) FILTER (WHERE (${condition}) IS NULL)::int AS unknown FROM documents`;
    const { rows } = await client.query<{ ids: string | null; unknown: number }>(text, values);
    expect(rows[0]?.unknown).toBe(0);
    return rows[0]?.ids ?? '';
  }

  it.each([
    [{}, 'abcd'],
    // Values of their own type only, numbers by value.
    [{ year: 2020 }, 'a'],
    [{ year: '2020' }, 'b'],
    [{ year: 2024.5 }, 'c'],
    [{ draft: true }, 'a'],
    [{ draft: 'true' }, ''],
    // The opposite, also for documents without the field.
    [{ year: { ne: 2020 } }, 'bcd'],
    [{ draft: { ne: false } }, 'abd'],
    [{ tags: { nin: ['old', 'x'] } }, 'bcd'],
    // Lists contain.
    [{ tags: 'news' }, 'ab'],
    [{ tags: { in: ['x', 'old'] } }, 'a'],
    [{ lang: { in: ['en', 1, false, 'zh'] } }, 'ac'],
    // Order.
    [{ year: { gt: 2020 } }, 'c'],
    [{ year: { gte: 2020, lt: 2024.5 } }, 'a'],
    [{ year: { lte: 1e300 } }, 'ac'],
    [{ year: { gte: '2' } }, 'b'],
    [{ lang: { gt: 'en', lte: 'vi' } }, 'b'],
    [{ tags: { gt: 'a' } }, 'b'],
    // Groups.
    [{ or: [{ lang: 'en' }, { lang: 'zh', year: 2020 }] }, 'a'],
    [{ or: [{ lang: 'en' }, { and: [{ lang: 'zh' }, { draft: false }] }] }, 'ac'],
    // Whatever the caller writes is a parameter.
    [{ 'it\'s a "name"': 'x' }, 'c'],
    [{ lang: "') OR TRUE --" }, ''],
    [{ "') OR TRUE --": { ne: "'" } }, 'abcd'],
  ])('%j finds the documents "%s"', async (filter, ids) => {
    expect(await findIds(filter)).toBe(ids);
  });

  it('orders texts by their code points, whatever the locale of the database', async () => {
    expect(await findIds({ lang: { lt: 'a' } })).toBe('');
    expect(await findIds({ lang: { gt: 'Z' } })).toBe('abc');
  });
});
