// Real components: the API on a socket, PostgreSQL, the file directory, and a provider that waits for the
// test.
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { stop } from '../../../../support/answers.js';
import { startApi, type TestApi } from '../../../../support/api.js';
import { type ApiResponse, at, registerUser, type TestUser } from '../../../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { PNG, uploadedId } from '../../../../support/files.js';
import { query, until } from '../../../../support/stored.js';

let provider: FakeProvider;
let api: TestApi;

beforeAll(async () => {
  provider = await startFakeProvider();
  api = await startApi({
    OPENAI_BASE_URL: provider.baseUrl,
    DEFAULT_MODEL: 'openai/test-model',
    CONTEXT_FILES_MAX_MB: '1',
  });
});

afterEach(() => {
  provider.reset();
});

afterAll(async () => {
  await api.close();
  await provider.close();
});

const IMPORT = '/api/v1/conversations/import';

const FILE = {
  version: 1,
  conversation: { title: 'Imported' },
  messages: [
    {
      id: 'a',
      parent_id: null,
      role: 'user',
      status: 'complete',
      content: 'hello',
      active: true,
      created_at: '2026-11-21T08:00:00.123Z',
    },
  ],
};

it('a third concurrent import is refused with 503 and Retry-After, and accepted once another import has ended', async () => {
  const [one, two, three] = [
    await registerUser(api.url),
    await registerUser(api.url),
    await registerUser(api.url),
  ];
  const lock = new pg.Client({ connectionString: api.database.url });
  await lock.connect();
  const running: Promise<ApiResponse>[] = [];
  try {
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE conversations IN EXCLUSIVE MODE');
    running.push(...[one, two].map((user) => user.request('POST', IMPORT, FILE)));
    await until('two imports to wait for the database', async () => {
      const rows = await query(
        api.database,
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length >= 2;
    });
    const refused = await three.request('POST', IMPORT, FILE);
    expect([refused.status, at(refused.body, 'error', 'code')]).toEqual([503, 'service_unavailable']);
    expect(refused.headers.get('retry-after')).toBe('5');
    // The limit of one import at a time per account still applies.
    expect((await one.request('POST', IMPORT, FILE)).status).toBe(429);
  } finally {
    await lock.end();
  }
  expect((await Promise.all(running)).map(({ status }) => status)).toEqual([201, 201]);
  expect((await three.request('POST', IMPORT, FILE)).status).toBe(201);
});

describe('turns whose files exceed the memory that one process may use for files', () => {
  /** An image of most of the megabyte that this process may hold. */
  const IMAGE = {
    name: 'large.png',
    type: 'image/png',
    bytes: new Uint8Array(Buffer.concat([PNG, Buffer.alloc(900_000)])),
  };

  const chats = (): number => provider.requests.filter(({ route }) => route === 'chat').length;

  async function userWithFile(): Promise<{ user: TestUser; ask: () => Promise<ApiResponse> }> {
    const user = await registerUser(api.url);
    const id = await uploadedId(api.url, user, IMAGE);
    return {
      user,
      ask: () => user.request('POST', '/api/v1/chat', { message: 'What is it?', file_ids: [id] }),
    };
  }

  const generating = async (): Promise<string[]> => {
    const rows = await query(api.database, `SELECT id FROM messages WHERE status = 'generating' ORDER BY id`);
    return rows.map(({ id }) => String(id));
  };

  it('wait for an earlier turn to end, even if a turn ahead of them is stopped while it waits', async () => {
    const [first, second, third] = [await userWithFile(), await userWithFile(), await userWithFile()];
    const gate = gatedAnswer(['It is ', 'an image.']);
    provider.script(gate);
    const asked = provider.nextRequest('chat');
    const one = first.ask();
    await asked;
    const two = second.ask();
    await until('the second turn to be stored', async () => (await generating()).length === 2);
    const three = third.ask();
    await until('the third turn to be stored', async () => (await generating()).length === 3);
    const waiting = (await generating())[1] ?? '';
    expect((await stop(second.user, waiting)).status).toBe(200);
    await two;
    expect(chats()).toBe(1);
    gate.finish();
    expect((await one).status).toBe(200);
    expect((await three).status).toBe(200);
    expect(chats()).toBe(2);
  });

  it('are refused with 503 and Retry-After after ten seconds, while turns without files proceed', async () => {
    const [first, second] = [await userWithFile(), await userWithFile()];
    const gate = gatedAnswer(['It is ', 'an image.']);
    provider.script(gate);
    const asked = provider.nextRequest('chat');
    const one = first.ask();
    await asked;
    const shortened = shortenFilesWait();
    const two = second.ask();
    expect((await first.user.request('POST', '/api/v1/chat', { message: 'Hello' })).status).toBe(200);
    const refused = await two;
    expect(shortened()).toBe(1);
    expect([refused.status, at(refused.body, 'error', 'code')]).toEqual([503, 'service_unavailable']);
    expect(refused.headers.get('retry-after')).toBe('5');
    gate.finish();
    expect((await one).status).toBe(200);
    expect((await second.ask()).status).toBe(200);
  });
});

/**
 * Ends a wait of ten seconds for room in memory after half a second, which is long enough for the other
 * requests of the test.
 * @returns a function that restores the timer and returns the number of such waits that began
 */
function shortenFilesWait(): () => number {
  const real = globalThis.setTimeout;
  let waits = 0;
  const spy = jest.spyOn(globalThis, 'setTimeout').mockImplementation((callback, delay, ...values) => {
    const isFilesWait = delay === 10_000 && new Error().stack?.includes('byte-limiter') === true;
    if (isFilesWait) waits += 1;
    return real(callback, isFilesWait ? 500 : delay, ...values);
  });
  return () => {
    spy.mockRestore();
    return waits;
  };
}
