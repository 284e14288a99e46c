// Real components: the API on a socket and PostgreSQL; most messages are written by SQL in the form that a
// turn stores. A table has texts in many languages, and the query plans need large accounts, whose set-up is
// here too.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { newId } from '../../../../../src/common/ids.js';
import {
  conversationsQuery,
  messagesQuery,
} from '../../../../../src/features/chat/conversations/search.repository.js';
import { idOf } from '../../../../support/accounts.js';
import { beginStream } from '../../../../support/answers.js';
import { at, collect, listAt, registerUser, type TestUser } from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';
import { query } from '../../../../support/stored.js';

const LIST = '/api/v1/conversations';

const provider = setUpProvider();
const api = setUpApi(() => ({ OPENAI_BASE_URL: provider.baseUrl, DEFAULT_MODEL: 'demo/echo' }));

async function say(user: TestUser, message: string, more: object = {}): Promise<string> {
  const answer = await user.request('POST', '/api/v1/chat', { message, ...more });
  expect(answer.status).toBe(200);
  return String(at(answer.body, 'conversation_id'));
}

/** Stores a conversation with a title without words, and one message. */
async function store(user: TestUser, content: string, title = '#'): Promise<string> {
  const [row] = await query(
    api.database,
    `WITH conversation AS (
       INSERT INTO conversations (id, user_id, title, next_position)
       VALUES ($4, $1, $2, 1)
       RETURNING id, user_id
     )
     INSERT INTO messages (id, conversation_id, user_id, position, role, status, content)
     SELECT gen_random_uuid(), id, user_id, 0, 'user', 'complete', $3 FROM conversation
     RETURNING conversation_id AS id`,
    [await idOf(user), title, content, newId()],
  );
  return String(row?.['id']);
}

async function search(user: TestUser, words: string, more = ''): Promise<unknown[]> {
  const { status, body } = await user.request('GET', `${LIST}?q=${encodeURIComponent(words)}${more}`);
  expect({ words, status }).toEqual({ words, status: 200 });
  return listAt(body, 'data');
}

const ids = (found: readonly unknown[]): unknown[] => found.map((entry) => at(entry, 'id'));

/** Returns the highlighted text of each match. */
const marked = (entry: unknown): string[][] =>
  listAt(entry, 'matches').map((match) =>
    listAt(match, 'highlights').map((range) =>
      String(at(match, 'text')).slice(Number(at(range, 'start')), Number(at(range, 'end'))),
    ),
  );

describe('a search', () => {
  it.each<[text: string, found: readonly string[], not: readonly string[], highlight: string]>([
    [
      'Why is the sky blue?',
      ['sky', 'SKY', 'blue sky', 'is th', 'sk', 'why blu'],
      ['ky', 'sk blue', 'sky red'],
      'sky',
    ],
    [
      '为什么天空是蓝色的',
      ['天空', '天', '蓝色', '是蓝色', '为什么天空是蓝色的', '天空 蓝色'],
      ['空天', '海', '天蓝'],
      '天空',
    ],
    ['東京タワーへ行きたい', ['東京', 'タワー', '行きたい', 'タ', 'ﾀﾜｰ'], ['京東', 'ダワー'], '東京'],
    ['한국어를 배우고 싶어요', ['한국어', '국어', '배우', '한국어'.normalize('NFD')], ['어국'], '한국어'],
    [
      'Đường lên đỉnh Fansipan ở Việt Nam',
      ['đường', 'duong', 'DUONG', 'Việt Nam', 'viet na', 'Vie\u0323\u0302t'],
      ['duongx', 'nam duo x'],
      'Đường',
    ],
    [
      'Đường lên đỉnh'.normalize('NFD'),
      ['đỉnh', 'dinh', 'dỉnh'.normalize('NFD')],
      ['dinhh'],
      'Đường'.normalize('NFD'),
    ],
    ['Привет, как дела?', ['привет', 'ДЕЛА', 'дел'], ['ивет'], 'Привет'],
    ['ขอบคุณครับ', ['ขอบคุณครับ', 'ขอบ'], ['คุณ'], 'ขอบคุณครับ'],
    [
      "It's 3.14, see https://example.com/a_b?c=d#e",
      ['3 14', "it's", 'example.com', 'a_b', 'see 3.14'],
      ['31'],
      'It',
    ],
    ['iPhone手机hello世界', ['iphone', '手机', '世界', 'hello', '手机 iph'], ['机世'], 'iPhone'],
    ['Straße and ÀÉÎÕÜ and İstanbul', ['straße', 'aeiou', 'istanbul', 'ISTANBUL'], [], 'Straße'],
  ])('finds words and prefixes in %j', async (text, found, not, highlight) => {
    const user = await registerUser(api.url);
    const id = await store(user, text);
    for (const words of found)
      expect({ words, ids: ids(await search(user, words)) }).toEqual({ words, ids: [id] });
    for (const words of not)
      expect({ words, ids: ids(await search(user, words)) }).toEqual({ words, ids: [] });
    const [first] = await search(user, found[0] ?? '');
    const [marks = []] = first === undefined ? [] : marked(first);
    expect(marks).not.toEqual([]);
    const [entry] = await search(user, highlight);
    expect(marked(entry)[0]).toContain(highlight);
  });

  it.each([
    'a & !b:*',
    "'",
    "''",
    '\\',
    "\\'",
    "x' | 'y",
    ':*',
    '!',
    '(',
    'sky:*',
    '<->',
    'sky <-> blue',
    '%',
    '_',
    '"sky"',
    '$1',
    '\u3000',
  ])('treats %j as plain words', async (words) => {
    const user = await registerUser(api.url);
    await store(user, 'Why is the sky blue?');
    const other = await store(user, 'an apple or a banana');
    const expected = words === 'a & !b:*' ? [other] : words.includes('sky') ? 1 : 0;
    const found = ids(await search(user, words));
    if (typeof expected === 'number') expect(found).toHaveLength(expected);
    else expect(found).toEqual(expected);
  });

  it('requires all words in the same message or title', async () => {
    const user = await registerUser(api.url);
    const id = await say(user, 'apples');
    await query(api.database, `UPDATE conversations SET title = 'about pears' WHERE id = $1`, [id]);
    expect(ids(await search(user, 'pears'))).toEqual([id]);
    expect(ids(await search(user, 'apples'))).toEqual([id]);
    expect(ids(await search(user, 'apples pears'))).toEqual([]);
  });

  it('returns up to three matches, the title first, as plain text with ranges in UTF-16 units', async () => {
    const user = await registerUser(api.url);
    const long = `${'🌍 before '.repeat(40)}<b>Sky</b> & skies, not whisky. ${'after 🌍 '.repeat(40)}`;
    const id = await store(user, long, 'The sky');
    await query(
      api.database,
      `INSERT INTO messages (id, conversation_id, user_id, position, role, status, content)
       SELECT gen_random_uuid(), id, user_id, n, 'assistant', 'complete', 'sky ' || n FROM conversations, generate_series(1, 5) n WHERE id = $1`,
      [id],
    );
    const [entry] = await search(user, 'sk');
    const matches = listAt(entry, 'matches');
    expect(matches).toHaveLength(3);
    expect(matches[0]).toEqual({ message_id: null, text: 'The sky', highlights: [{ start: 4, end: 7 }] });
    expect(marked(entry)).toEqual([['sky'], ['Sky', 'skies'], ['sky']]);
    const text = String(at(matches[1], 'text'));
    expect(text).toMatch(/^….*<b>Sky<\/b> & skies, not whisky\. .*…$/u);
    expect(text.length).toBeLessThanOrEqual(162);
    expect(text.isWellFormed()).toBe(true);
    expect(at(matches[2], 'text')).toBe('sky 1');
    expect(at(entry, 'tokens_used')).toBe(0);
  });

  it('is sorted and paged like the plain list, and combines with its other filters', async () => {
    const user = await registerUser(api.url);
    const all: string[] = [];
    for (let index = 0; index < 7; index += 1) all.unshift(await say(user, `needle ${index}`));
    await say(user, 'hay');
    const pages: unknown[][] = [];
    for (let after = ''; ;) {
      const { body } = await user.request('GET', `${LIST}?q=needle&limit=3${after}`);
      pages.push(ids(listAt(body, 'data')));
      if (at(body, 'has_more') === false) break;
      after = `&after=${String(at(body, 'last_id'))}`;
    }
    expect(pages).toEqual([all.slice(0, 3), all.slice(3, 6), all.slice(6)]);
    await user.request('PATCH', `${LIST}/${String(all[0])}`, { archived: true });
    await user.request('PATCH', `${LIST}/${String(all[1])}`, { pinned: true });
    expect(ids(await search(user, 'needle'))).toEqual(all);
    expect(ids(await search(user, 'needle', '&archived=true'))).toEqual([all[0]]);
    expect(ids(await search(user, 'needle', '&archived=false'))).toEqual(all.slice(1));
    expect(ids(await search(user, 'needle', '&pinned=true'))).toEqual([all[1]]);
  });

  it('finds new messages and titles immediately, and no deleted ones', async () => {
    const user = await registerUser(api.url);
    const id = await say(user, 'quartz');
    expect(ids(await search(user, 'quartz'))).toEqual([id]);
    await user.request('PATCH', `${LIST}/${id}`, { title: 'Minerals' });
    expect(ids(await search(user, 'mineral'))).toEqual([id]);
    await user.request('DELETE', `${LIST}/${id}`);
    expect(ids(await search(user, 'quartz'))).toEqual([]);
  });

  it('finds an answer once it has ended, and not its checkpoints', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['zirconium', ' crystals']);
    provider.script(gate);
    const { conversationId, events } = await beginStream(provider, user, { model: 'openai/test-model' });
    gate.release();
    await events.next();
    await query(api.database, `UPDATE messages SET content = 'zirconium' WHERE status = 'generating'`);
    expect(ids(await search(user, 'zirconium'))).toEqual([]);
    gate.finish();
    await collect(events);
    expect(ids(await search(user, 'zirconium'))).toEqual([conversationId]);
  });

  it('never finds messages of other accounts', async () => {
    const [owner, stranger] = [await registerUser(api.url), await registerUser(api.url)];
    const id = await store(owner, 'a secret word', 'secret title');
    // Not even if both accounts have the same prefix digits in the index.
    const twin = await registerUser(api.url);
    const digits = (await idOf(owner)).slice(-6);
    await query(
      api.database,
      `UPDATE users SET id = overlay(id::text placing $2 from 31)::uuid WHERE email = $1`,
      [twin.email, digits],
    );
    const [row] = await query(api.database, 'SELECT id FROM users WHERE email = $1', [twin.email]);
    const found = await query(
      api.database,
      conversationsSql(String(row?.['id']), 'secret').text,
      conversationsSql(String(row?.['id']), 'secret').values,
    );
    expect(found).toEqual([]);
    for (const words of ['secret', 's', 'word', 'title', digits])
      expect(await search(stranger, words)).toEqual([]);
    expect(ids(await search(owner, 'secret'))).toEqual([id]);
  });

  it.each([
    ['', 'q'],
    ['x'.repeat(201), 'q'],
    ['a\0b', 'q'],
  ])('refuses %j with 400', async (words, field) => {
    const user = await registerUser(api.url);
    const { status, body } = await user.request('GET', `${LIST}?q=${encodeURIComponent(words)}`);
    expect([status, at(body, 'error', 'param')]).toEqual([400, field]);
  });
});

const conversationsSql = (userId: string, words: string) =>
  conversationsQuery(userId, { words, archived: undefined, pinned: false }, { limit: 21, after: undefined });

describe('a text of 4 MB', () => {
  const size = 4_000_000;
  /** Five times the indexed length of a text; after it the text repeats itself. */
  const varied = 200_000;
  const unique = (letters: (index: number) => string): string => {
    const words: string[] = [];
    for (let index = 0, length = 0; length < varied; index += 1) {
      const word = letters(index);
      words.push(word);
      length += word.length;
    }
    return words
      .join('')
      .repeat(size / varied)
      .slice(0, size);
  };

  it.each<[string, () => string, string | undefined]>([
    ['of words that are all different', () => unique((index) => `${index.toString(36)} `), '2n'],
    ['that is one word', () => 'x'.repeat(size), 'x'.repeat(70)],
    ['of Chinese', () => unique((index) => String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000))), '一'],
    [
      'of characters of four bytes, all pairs different',
      () =>
        unique((index) =>
          String.fromCodePoint(0x20000 + ((index * 7919 + Math.floor(index / 42_000)) % 42_000)),
        ),
      String.fromCodePoint(0x20000),
    ],
    ['of ligatures that become 18 letters', () => '\uFDFA'.repeat(size), '\uFDFA'],
    ['of diacritics', () => `a${'\u0301'.repeat(size)}`, 'a'],
    ['of quotes and backslashes', () => `'\\`.repeat(size / 2), undefined],
    ['of long words', () => unique((index) => `${index}${'ü'.repeat(3000)} `), `0${'ü'.repeat(100)}`],
  ])('%s is stored and found by its first word', async (_name, text, words) => {
    const user = await registerUser(api.url);
    const id = await store(user, text());
    if (words !== undefined) expect(ids(await search(user, words))).toEqual([id]);
  });
});

it('a message with 40,000 combining marks is stored, found and answered', async () => {
  const user = await registerUser(api.url);
  // Unordered marks: sorting them takes time quadratic in the length of the run. Ten seconds of that exceed
  // the statement timeout.
  const marks = `a${'\u0323\u0302\u0301\u0315'.repeat(10_000)}`;
  const imported = await user.request('POST', `${LIST}/import`, {
    version: 1,
    conversation: { title: '#' },
    messages: [
      {
        id: 'a',
        parent_id: null,
        role: 'user',
        status: 'complete',
        content: `needle ${marks}`,
        active: true,
        created_at: '2026-11-21T08:00:00Z',
      },
    ],
  });
  expect(imported.status).toBe(201);
  const id = String(at(imported.body, 'id'));
  expect(ids(await search(user, 'needle'))).toEqual([id]);
  const answer = await user.request('POST', '/api/v1/chat', { message: 'and?', conversation_id: id });
  expect(answer.status).toBe(200);
});

it('finds a text by the same words, whichever function has worked them out', async () => {
  // The former function in SQL stored the words of messages from before, and still normalizes queries.
  const [row] = await query(
    api.database,
    `WITH characters AS (
       SELECT number / 40 AS sample, chr(1 + number * 7919 % least(12 * (1 + number / 40), 55000)) AS character
       FROM generate_series(0, 39999) AS numbers (number)
     ), samples AS (
       SELECT string_agg(character, '') AS body FROM characters GROUP BY sample
       UNION ALL SELECT unnest($2::text[])
     )
     SELECT count(*)::int AS compared,
       count(*) FILTER (WHERE search_form(body) IS DISTINCT FROM search_normal_form(body))::int AS other_forms,
       count(*) FILTER (WHERE search_words_vector($1, body) IS DISTINCT FROM search_vector($1, body))::int AS other_words
     FROM samples`,
    [
      randomUUID(),
      ['', ' ', '...', 'ABC-123.4', 'Đường', '한국어 검색', '漢字かな交じり文', 'a'.repeat(50_000)],
    ],
  );
  expect(row).toEqual({ compared: 1008, other_forms: 0, other_words: 0 });
});

/** Number of conversations of the larger account, each with a hundred messages. */
const LARGE_CONVERSATIONS = 300;

describe('a search in one account', () => {
  let large: TestUser;
  let small: TestUser;

  /**
   * Stores conversations of which every fiftieth has a rare word in one message. Triggers are disabled,
   * because they would index each text, and there are only two different ones.
   */
  async function seed(user: TestUser, conversations: number, each: number): Promise<void> {
    const client = new pg.Client({ connectionString: api.database.url });
    await client.connect();
    try {
      await client.query('SET session_replication_role = replica');
      await client.query(
        `WITH texts AS MATERIALIZED (
           SELECT rare, content, search_words_vector($1::uuid, content) AS words
           FROM (VALUES (false, 'common words'), (true, 'common words rare')) AS t (rare, content)
         ), conversation AS (
           INSERT INTO conversations (id, user_id, title, next_position)
           SELECT gen_random_uuid(), $1::uuid, '#', $3::int FROM generate_series(1, $2::int) RETURNING id, user_id
         ), numbered AS (
           SELECT id, user_id, row_number() OVER () % 50 = 1 AS has_rare FROM conversation
         ), message AS MATERIALIZED (
           SELECT gen_random_uuid() AS id, c.id AS conversation_id, c.user_id, n AS position, content, words
           FROM numbered c CROSS JOIN generate_series(0, $3::int - 1) AS n
           JOIN texts ON rare = (n = 7 AND has_rare)
         ), stored AS (
           INSERT INTO messages (id, conversation_id, user_id, position, role, status, content)
           SELECT id, conversation_id, user_id, position, 'user', 'complete', content FROM message
         )
         INSERT INTO message_words (message_id, user_id, conversation_id, position, words)
         SELECT id, user_id, conversation_id, position, words FROM message`,
        [await idOf(user), conversations, each],
      );
    } finally {
      await client.end();
    }
  }

  beforeAll(async () => {
    [large, small] = [await registerUser(api.url), await registerUser(api.url)];
    await seed(large, LARGE_CONVERSATIONS, 100);
    await seed(small, 5, 4);
    await query(api.database, 'ANALYZE');
  });

  /**
   * Returns how a statement reads messages and their words: the indexes it uses and the number of rows it
   * reads.
   */
  async function plan({ text, values }: { readonly text: string; readonly values: unknown[] }) {
    const [row] = await query(api.database, `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values);
    const nodes: unknown[] = [];
    const walk = (node: unknown): void => {
      nodes.push(node);
      const children = at(node, 'Plans');
      if (Array.isArray(children)) children.forEach(walk);
    };
    walk(at(row, 'QUERY PLAN', 0, 'Plan'));
    const figure = (node: unknown, name: string) =>
      Number(at(node, name) ?? 0) * Number(at(node, 'Actual Loops'));
    const reads = nodes.filter((node) =>
      ['messages', 'message_words'].includes(String(at(node, 'Relation Name'))),
    );
    return {
      ways: new Set(reads.map((node) => at(node, 'Node Type'))),
      indexes: nodes
        .map((node) => at(node, 'Index Name'))
        .filter((name) => typeof name === 'string' && name.startsWith('message')),
      rows: reads.reduce<number>((sum, node) => sum + figure(node, 'Actual Rows'), 0),
      removed: reads.reduce<number>(
        (sum, node) =>
          sum + figure(node, 'Rows Removed by Filter') + figure(node, 'Rows Removed by Index Recheck'),
        0,
      ),
    };
  }

  it.each([
    ['a rare word', 'rare'],
    ['a rare word beside a common one', 'common rare'],
    ['a prefix', 'ra'],
    ['a missing word', 'nothing'],
  ])('reads only the matching rows among 30,000 messages: %s', async (_name, words) => {
    const found = await plan(conversationsSql(await idOf(large), words));
    expect(found.indexes).toEqual(['message_words_words_idx']);
    expect(found.ways).toEqual(new Set(['Bitmap Heap Scan']));
    expect(found.removed).toBe(0);
    expect(found.rows).toBeLessThan(100);
  });

  it.each(['common words', 'c', 'nothing'])('reads no rows of a larger account: %s', async (words) => {
    const found = await plan(conversationsSql(await idOf(small), words));
    expect(found.indexes).toHaveLength(1);
    expect(found.ways).not.toContain('Seq Scan');
    expect(found.rows + found.removed).toBeLessThanOrEqual(20);
  });

  it('finds the matches of a page by the same index', async () => {
    const userId = await idOf(large);
    const page = await query(
      api.database,
      conversationsSql(userId, 'rare').text,
      conversationsSql(userId, 'rare').values,
    );
    const found = await plan(
      messagesQuery(
        userId,
        'rare',
        page.map(({ id }) => String(id)),
        3,
      ),
    );
    expect(found.indexes).toContain('message_words_words_idx');
    expect(found.ways).not.toContain('Seq Scan');
    expect(found.rows + found.removed).toBeLessThan(200);
  });

  it('finds common words too', async () => {
    expect(await search(large, 'common words', '&limit=100')).toHaveLength(100);
    expect(await search(small, 'common words')).toHaveLength(5);
  });
});
