// Real components: the API on a socket, the provider's protocol, and PostgreSQL behind a proxy that records
// the statements.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '../../../../../src/common/ids.js';
import {
  ConversationBusyError,
  DuplicateRequestError,
} from '../../../../../src/features/chat/model/chat.errors.js';
import { type NewTurn, TurnRepository } from '../../../../../src/features/chat/turns/turn.repository.js';
import { PrismaService } from '../../../../../src/infra/database/index.js';
import { startApi, type TestApi } from '../../../../support/api.js';
import { at, registerUser, type TestUser } from '../../../../support/client.js';
import { createMigratedDatabase, type TestDatabase } from '../../../../support/database.js';
import { startFakeProvider, type FakeProvider } from '../../../../support/fake-provider/fake-provider.js';
import { query, stored, untilSettled } from '../../../../support/stored.js';
import { TcpProxy } from '../../../../support/tcp-proxy.js';

let provider: FakeProvider;
let database: TestDatabase;
let proxy: TcpProxy;
let api: TestApi;
let user: TestUser;
let userId: string;
const processes: PrismaService[] = [];

beforeAll(async () => {
  provider = await startFakeProvider();
  database = await createMigratedDatabase();
  proxy = await TcpProxy.start(database.url);
  api = await startApi(
    { OPENAI_BASE_URL: provider.baseUrl, DEFAULT_MODEL: 'openai/test-model' },
    { ...database, url: proxy.url },
  );
});

beforeEach(async () => {
  user = await registerUser(api.url);
  const [row] = await query(database, 'SELECT id FROM users WHERE email = $1', [user.email]);
  userId = String(row?.['id']);
});

afterEach(async () => {
  provider.reset();
  for (const prisma of processes.splice(0)) await prisma.onApplicationShutdown();
});

afterAll(async () => {
  await api.close();
  await proxy.close();
  await provider.close();
  await database.drop();
});

async function beginConversation(): Promise<string> {
  const answer = await user.request('POST', '/api/v1/chat', { message: 'first' });
  expect(answer.status).toBe(200);
  const conversation = String(at(answer.body, 'conversation_id'));
  await untilSettled(database, conversation);
  return conversation;
}

/** Sends a turn; returns the functions or statements that it called, without those of the queue and of the session. */
async function statementsOf(route: string, body: object): Promise<string[]> {
  proxy.statements.length = 0;
  const { status } = await user.request('POST', route, body);
  expect(status).toBe(200);
  return proxy.statements
    .filter((text) => /messages|conversations|usage_records|attachments|_turn|_path/.test(text))
    .filter((text) => !text.includes('search_path'))
    .map((text) => /\b(\w+)\(/.exec(text)?.[1] ?? text);
}

/** Creates a repository of a separate process. */
function startTurns(): TurnRepository {
  const prisma = new PrismaService({ connectionString: database.url, poolMax: 2 });
  processes.push(prisma);
  return new TurnRepository(prisma);
}

function newTurn(position: NewTurn['position'], idempotency?: NewTurn['idempotency']): NewTurn {
  return {
    spec: {
      userId,
      apiKeyId: null,
      model: 'openai/test-model',
      parameters: {},
      defaultTemperature: undefined,
      instructions: null,
      retrieval: undefined,
      restart: 'once',
      cache: undefined,
    },
    answerId: newId(),
    leaseOwner: newId(),
    position,
    systemPrompt: undefined,
    hasFiles: false,
    compaction: undefined,
    newMessages: [{ id: newId(), role: 'user', content: 'one', tokenCount: 1, toolCallId: null }],
    idempotency,
  };
}

/**
 * Begins turns concurrently, each in a separate process; returns the answers that began and the errors of the
 * others.
 */
async function race(turns: readonly NewTurn[]) {
  const results = await Promise.allSettled(turns.map((turn) => startTurns().beginTurn(turn)));
  return {
    begun: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.answerId] : [])),
    refusals: results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])),
  };
}

describe('a stored turn', () => {
  it.each(['/api/v1/chat', '/api/v1/chat/stream'])(
    'makes one round trip to begin and one to finish when it starts a conversation, on %s',
    async (route) => {
      await user.request('POST', '/api/v1/chat', { message: 'opens connections and fills caches' });
      expect(await statementsOf(route, { message: 'counted' })).toEqual(['start_turn', 'finish_turn']);
      expect(provider.requests.at(-1)?.body).toMatchObject({
        messages: [{ role: 'user', content: 'counted' }],
      });
    },
  );

  it.each(['/api/v1/chat', '/api/v1/chat/stream'])(
    'makes one round trip more for its context when it continues a conversation, on %s',
    async (route) => {
      const conversation_id = await beginConversation();
      const sent = await statementsOf(route, { message: 'counted', conversation_id });
      // The conversation and its last parameters are looked up before anything is reserved.
      expect(sent.slice(-3)).toEqual(['start_turn', 'context_path', 'finish_turn']);
    },
  );

  it('uses no named prepared statements, because a transaction pooler could not route them to the right connection', async () => {
    proxy.statements.length = 0;
    const conversation_id = await beginConversation();
    await user.request('POST', '/api/v1/chat', { message: 'second', conversation_id });
    expect(proxy.statements.length).toBeGreaterThan(3);
    expect(proxy.statements.filter((text) => /^[^\s:]+: /.test(text))).toEqual([]);
  });
});

describe('a turn of an account that is deleted meanwhile', () => {
  it('is refused as unauthorized and stores nothing', async () => {
    const conversationId = newId();
    const turn = newTurn({ type: 'new', conversationId, title: 'gone' });
    await expect(
      startTurns().beginTurn({ ...turn, spec: { ...turn.spec, userId: newId() } }),
    ).rejects.toMatchObject({
      code: 'unauthorized',
    });
    expect(await query(database, 'SELECT 1 FROM conversations WHERE id = $1', [conversationId])).toEqual([]);
  });
});

describe('concurrent turns', () => {
  it('of one conversation start one answer and are otherwise refused with its id', async () => {
    const conversationId = await beginConversation();
    const position = { type: 'known', conversationId, after: 'leaf' } as const;
    const { begun, refusals } = await race(Array.from({ length: 5 }, () => newTurn(position)));
    expect(begun).toHaveLength(1);
    expect(refusals).toHaveLength(4);
    for (const refusal of refusals) expect(refusal).toEqual(new ConversationBusyError(begun[0] ?? ''));
    expect((await stored(database, conversationId)).messages).toHaveLength(4);
  });

  it('with one Idempotency-Key start one answer, and the others store nothing', async () => {
    const idempotency = { route: 'test', key: newId(), fingerprint: new Uint8Array(32) };
    const turns = Array.from({ length: 5 }, () =>
      newTurn({ type: 'new', conversationId: newId(), title: 'title' }, idempotency),
    );
    const { begun, refusals } = await race(turns);
    expect(begun).toHaveLength(1);
    expect(refusals).toEqual(Array.from({ length: 4 }, () => new DuplicateRequestError()));
    const [rows] = await query(
      database,
      `SELECT (SELECT count(*)::int FROM conversations WHERE user_id = $1) AS conversations,
         (SELECT array_agg(message_id::text) FROM idempotency_keys WHERE user_id = $1) AS named`,
      [userId],
    );
    expect(rows).toEqual({ conversations: 1, named: begun });
  });

  it('release their Idempotency-Key if they are refused', async () => {
    const idempotency = { route: 'test', key: newId(), fingerprint: new Uint8Array(32) };
    const turn = newTurn({ type: 'known', conversationId: newId(), after: 'leaf' }, idempotency);
    await expect(startTurns().beginTurn(turn)).rejects.toMatchObject({ code: 'not_found' });
    expect(await query(database, 'SELECT 1 FROM idempotency_keys WHERE user_id = $1', [userId])).toEqual([]);
  });
});

describe('a turn whose start_turn still runs on the server after its connection was lost', () => {
  it('is found once it is committed, because the search waits for it', async () => {
    const conversationId = await beginConversation();
    const position = { type: 'known', conversationId, after: 'leaf' } as const;
    const turn = newTurn(position);
    const blocker = new PrismaService({ connectionString: database.url, poolMax: 1 });
    processes.push(blocker);
    const found = await blocker.transaction(async (transaction) => {
      await transaction.$queryRaw`SELECT 1 FROM conversations WHERE id = ${conversationId}::uuid FOR UPDATE`;
      const begun = startTurns().beginTurn(turn);
      const isWaiting = async (): Promise<boolean> =>
        (
          await query(
            database,
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%FROM start_turn%' AND wait_event_type = 'Lock' AND datname = current_database()",
            [],
          )
        ).length > 0;
      while (!(await isWaiting()));
      const looked = startTurns().findBegunTurn(turn);
      return { begun, looked };
    });
    expect(await found.looked).toEqual(await found.begun);
    expect(await found.looked).toMatchObject({ answerId: turn.answerId });
  });
});
