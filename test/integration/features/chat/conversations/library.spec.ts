// Real components: the API on a socket and PostgreSQL, with 100,000 conversations of one account written by
// SQL.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { idOf } from '../../../../support/accounts.js';
import { at, listAt, registerUser, type TestUser } from '../../../../support/client.js';
import { setUpApi } from '../../../../support/set-up.js';
import { query, until } from '../../../../support/stored.js';

const LIST = '/api/v1/conversations';
const UNKNOWN = '01999999-9999-7999-8999-999999999999';

const api = setUpApi({ DEFAULT_MODEL: 'demo/echo' });

async function begin(user: TestUser, body: object = {}): Promise<string> {
  const answer = await user.request('POST', '/api/v1/chat', { message: 'hello', ...body });
  expect(answer.status).toBe(200);
  return String(at(answer.body, 'conversation_id'));
}

async function get(user: TestUser, path: string): Promise<unknown> {
  const { status, body } = await user.request('GET', path);
  expect(status).toBe(200);
  return body;
}

async function idsOf(user: TestUser, parameters: string): Promise<unknown[]> {
  return listAt(await get(user, `${LIST}${parameters}`), 'data').map((entry) => at(entry, 'id'));
}

describe('PATCH /api/v1/conversations/{id}', () => {
  it('changes only the given fields and is not a turn', async () => {
    const user = await registerUser(api.url);
    const id = await begin(user, { system_prompt: 'Be brief.' });
    const before = await get(user, `${LIST}/${id}`);
    expect(before).toMatchObject({ title: 'hello', archived: false, pinned: false });
    const steps: readonly [body: object, changed: object][] = [
      [{ title: 'Bầu trời 天空' }, { title: 'Bầu trời 天空' }],
      [{ pinned: true }, { pinned: true }],
      [
        { archived: true, system_prompt: 'Be long.' },
        { archived: true, system_prompt: 'Be long.' },
      ],
      [{ system_prompt: null }, { system_prompt: null }],
      [
        { archived: false, pinned: false },
        { archived: false, pinned: false },
      ],
      [{}, {}],
      [{ title: null, archived: null, pinned: null }, {}],
    ];
    let expected: object = Object(before) as object;
    for (const [body, changed] of steps) {
      expected = { ...expected, ...changed };
      const answer = await user.request('PATCH', `${LIST}/${id}`, body);
      expect({ body, status: answer.status, is: answer.body }).toEqual({ body, status: 200, is: expected });
      expect(await get(user, `${LIST}/${id}`)).toEqual(expected);
    }
  });

  it('marks the title as the user’s if it sets one, and only then', async () => {
    const user = await registerUser(api.url);
    const id = await begin(user);
    const titledBy = async () =>
      (await query(api.database, 'SELECT titled_by FROM conversations WHERE id = $1', [id]))[0]?.[
        'titled_by'
      ];
    await user.request('PATCH', `${LIST}/${id}`, { pinned: true });
    expect(await titledBy()).toBe('question');
    await user.request('PATCH', `${LIST}/${id}`, { title: 'hello' });
    expect(await titledBy()).toBe('user');
  });

  it('loses neither of two concurrent changes', async () => {
    const user = await registerUser(api.url);
    const id = await begin(user);
    for (let round = 0; round < 10; round += 1) {
      const wanted = { title: `title ${round}`, pinned: round % 2 === 0 };
      await Promise.all([
        user.request('PATCH', `${LIST}/${id}`, { title: wanted.title }),
        user.request('PATCH', `${LIST}/${id}`, { pinned: wanted.pinned }),
      ]);
      expect(await get(user, `${LIST}/${id}`)).toMatchObject(wanted);
    }
  });

  it.each<[string, unknown, string]>([
    ['an empty title', { title: '' }, 'title'],
    ['a blank title', { title: ' \n ' }, 'title'],
    ['a long title', { title: 'x'.repeat(201) }, 'title'],
    ['a title that is not a string', { title: 7 }, 'title'],
    ['a title with NUL', { title: 'a\0b' }, 'title'],
    ['archived as a string', { archived: 'true' }, 'archived'],
    ['pinned as a number', { pinned: 1 }, 'pinned'],
    ['an empty system prompt', { system_prompt: '' }, 'system_prompt'],
    ['a long system prompt', { system_prompt: 'x'.repeat(1001) }, 'system_prompt'],
    ['a read-only field', { tokens_used: 0 }, 'tokens_used'],
  ])('refuses %s and changes nothing', async (_name, body, field) => {
    const user = await registerUser(api.url);
    const id = await begin(user);
    const before = await get(user, `${LIST}/${id}`);
    const answer = await user.request('PATCH', `${LIST}/${id}`, body);
    expect([answer.status, at(answer.body, 'error', 'param')]).toEqual([400, field]);
    expect(await get(user, `${LIST}/${id}`)).toEqual(before);
  });

  it('answers for another account’s conversation as for an unknown id', async () => {
    const owner = await registerUser(api.url);
    const stranger = await registerUser(api.url);
    const id = await begin(owner);
    const answers = await Promise.all(
      [id, UNKNOWN].map(async (each) => {
        const answer = await stranger.request('PATCH', `${LIST}/${each}`, { title: 'mine' });
        return [answer.status, JSON.stringify(at(answer.body, 'error')).replaceAll(each, 'ID')];
      }),
    );
    expect(answers[0]).toEqual([404, expect.stringContaining('not_found')]);
    expect(answers[0]).toEqual(answers[1]);
    expect(await get(owner, `${LIST}/${id}`)).toMatchObject({ title: 'hello' });
  });
});

describe('the list of conversations', () => {
  it('omits archived conversations unless they are requested, and can be limited to pinned ones', async () => {
    const user = await registerUser(api.url);
    const [none, pinned, archived, both] = [
      await begin(user),
      await begin(user),
      await begin(user),
      await begin(user),
    ];
    for (const [id, body] of [
      [pinned, { pinned: true }],
      [archived, { archived: true }],
      [both, { archived: true, pinned: true }],
    ] as const) {
      expect((await user.request('PATCH', `${LIST}/${id}`, body)).status).toBe(200);
    }
    expect(await idsOf(user, '')).toEqual([pinned, none]);
    expect(await idsOf(user, '?archived=false')).toEqual([pinned, none]);
    expect(await idsOf(user, '?archived=true')).toEqual([both, archived]);
    expect(await idsOf(user, '?pinned=true')).toEqual([pinned]);
    expect(await idsOf(user, '?pinned=true&archived=true')).toEqual([both]);
    expect(await idsOf(user, `?archived=true&after=${both}`)).toEqual([archived]);
    expect(await idsOf(user, `?limit=1&after=${pinned}`)).toEqual([none]);
  });

  it.each(['archived=yes', 'archived=', 'archived=true&archived=false', 'pinned=false', 'pinned=1'])(
    'refuses ?%s',
    async (parameters) => {
      const user = await registerUser(api.url);
      const { status, body } = await user.request('GET', `${LIST}?${parameters}`);
      expect([status, at(body, 'error', 'param')]).toEqual([400, parameters.split('=')[0]]);
    },
  );
});

describe('the list of an account with 100,000 conversations', () => {
  const COUNT = 100_000;
  let user: TestUser;

  /** The id of the conversation with this number; a higher number is newer. */
  const idAt = (number: number): string => `01900000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;

  beforeAll(async () => {
    user = await registerUser(api.url);
    // This test does not search, and indexing the words would take most of the time.
    await query(api.database, 'ALTER TABLE conversations DISABLE TRIGGER conversations_words');
    // Nine of ten are archived and half are pinned: the database must not scan many rows for a page of few.
    await query(
      api.database,
      `INSERT INTO conversations (id, user_id, title, archived, pinned)
       SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1::uuid, 'seeded', n % 10 <> 0, n % 2 = 1
       FROM generate_series(1, ${COUNT}) AS n`,
      [await idOf(user)],
    );
    // Ten old conversations that are pinned and not archived.
    await query(api.database, 'UPDATE conversations SET pinned = true WHERE id = ANY($1)', [
      Array.from({ length: 10 }, (_, index) => idAt(10 * (index + 1))),
    ]);
    await query(api.database, 'VACUUM ANALYZE conversations');
  }, 120_000);

  /**
   * Returns the rows PostgreSQL has read of the table so far. Connections report theirs when they close; those that
   * the API opens again meanwhile have read nothing.
   */
  async function reads() {
    const closed = await query(
      api.database,
      `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'parley' AND datname = current_database()`,
    );
    const pids = closed.map(({ pid }) => pid);
    await until('the end of the connections', async () => {
      const open = await query(api.database, 'SELECT pid FROM pg_stat_activity WHERE pid = ANY($1)', [pids]);
      return open.length === 0;
    });
    const [row] = await query(
      api.database,
      `SELECT seq_tup_read::int AS scanned, (
         SELECT json_object_agg(indexrelname, idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'conversations'
       ) AS indexes FROM pg_stat_user_tables WHERE relname = 'conversations'`,
    );
    return (index: string): number => Number(index === '' ? row?.['scanned'] : at(row?.['indexes'], index));
  }

  const ALL = 'conversations_user_id_archived_id_idx';
  const PINNED = 'conversations_pinned_idx';

  it.each([
    ['the first page', '', ALL],
    ['a page at depth 50,000', `?archived=true&after=${idAt(COUNT / 2)}`, ALL],
    ['one of the last pages', `?archived=true&after=${idAt(300)}`, ALL],
    ['the few unarchived conversations far down', `?after=${idAt(2000)}`, ALL],
    ['pinned conversations', '?archived=true&pinned=true', PINNED],
    ['pinned conversations far down', `?archived=true&pinned=true&after=${idAt(300)}`, PINNED],
  ])('reads only the rows that it returns for %s', async (_name, parameters, index) => {
    const before = await reads();
    expect(await idsOf(user, parameters)).toHaveLength(20);
    const after = await reads();
    expect(after('') - before('')).toBe(0);
    expect(after(index) - before(index)).toBe(21);
  });

  it('finds the few pinned unarchived conversations without reading the others', async () => {
    const before = await reads();
    const ids = await idsOf(user, '?pinned=true');
    const after = await reads();
    expect(ids).toEqual(Array.from({ length: 10 }, (_, index) => idAt(10 * (10 - index))));
    expect(after('') - before('')).toBe(0);
    expect(after(PINNED) - before(PINNED)).toBe(10);
  });
});
