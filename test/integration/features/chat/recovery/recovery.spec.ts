// Real components: PostgreSQL, the repositories over it, and whole applications in the last part. Processes
// and turns are built by hand, a third of the file, because each case sets leases and starts sweeps itself.
import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { AnswerSnapshot } from '../../../../../src/features/chat/streams/answer-entries.js';
import { AnswerLog } from '../../../../../src/features/chat/streams/answer-log.js';
import { newId } from '../../../../../src/common/ids.js';
import { GenerationRepository } from '../../../../../src/features/chat/generation/generation.repository.js';
import { LiveAnswer } from '../../../../../src/features/chat/generation/live-answer.js';
import { ActiveGenerations } from '../../../../../src/features/chat/recovery/active-generations.js';
import { RecoveryRepository } from '../../../../../src/features/chat/recovery/recovery.repository.js';
import { RecoveryService } from '../../../../../src/features/chat/recovery/recovery.service.js';
import type { TurnResult, Turn } from '../../../../../src/features/chat/model/turn.js';
import { TurnRepository } from '../../../../../src/features/chat/turns/turn.repository.js';
import { UsageRepository } from '../../../../../src/features/usage/index.js';
import { Broadcast, RedisConnection } from '../../../../../src/infra/redis/index.js';
import { PrismaService } from '../../../../../src/infra/database/index.js';
import { estimateAbandonedAttempt, PriceTable } from '../../../../../src/llm/index.js';
import { startApi, type TestApi } from '../../../../support/api.js';
import { at, collect, registerUser, type TestUser } from '../../../../support/client.js';
import { createMigratedDatabase, type TestDatabase } from '../../../../support/database.js';
import { startFakeProvider } from '../../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { itWithoutRedis } from '../../../../support/redis.js';
import { expectSettled, query, stored, until, untilSettled } from '../../../../support/stored.js';

/** The parts of a process that can recover answers. */
interface Process {
  readonly prisma: PrismaService;
  readonly turns: TurnRepository;
  readonly generations: GenerationRepository;
  readonly repository: RecoveryRepository;
  readonly active: ActiveGenerations;
  readonly log: PausedLog;
  readonly recovery: RecoveryService;
}

const TEXT = 'four five';

const NAMED =
  'The server stopped while it generated this answer. Regenerate it with POST /api/v1/conversations/{id}/messages/{message_id}/regenerate.';

let database: TestDatabase;
let userId: string;
let processes: Process[];

beforeAll(() => {
  Logger.overrideLogger(false);
});

beforeEach(async () => {
  database = await createMigratedDatabase();
  userId = randomUUID();
  processes = [];
  await query(database, `INSERT INTO users (id, email, password_hash) VALUES ($1, $2, '')`, [userId, userId]);
});

afterEach(async () => {
  for (const { prisma } of processes) await prisma.onApplicationShutdown();
  await database.drop();
});

/** An answer log that can become unreadable. */
class PausedLog extends AnswerLog {
  paused = false;

  override extendSnapshot(answerId: string, known: AnswerSnapshot): Promise<AnswerSnapshot> {
    return this.paused ? Promise.reject(new Error('Redis is away.')) : super.extendSnapshot(answerId, known);
  }
}

/** A table without a price for the model of these tests. */
const PRICES = new PriceTable();

function startProcess(): Process {
  const prisma = new PrismaService({ connectionString: database.url, poolMax: 5 });
  const usage = new UsageRepository(prisma);
  const repository = new RecoveryRepository(prisma, usage);
  const redis = new RedisConnection(undefined);
  const log = new PausedLog(redis, new Broadcast(redis));
  const active = new ActiveGenerations();
  const started = {
    prisma,
    repository,
    active,
    log,
    turns: new TurnRepository(prisma),
    generations: new GenerationRepository(prisma),
    recovery: new RecoveryService(repository, PRICES, log, active),
  };
  processes.push(started);
  return started;
}

/** Begins a turn whose answer has a checkpoint, and whose lease ends in the given number of seconds. */
async function beginTurn({ turns, generations }: Process, leaseSeconds: number): Promise<Turn> {
  const turn = await turns.beginTurn({
    spec: {
      userId,
      apiKeyId: null,
      model: 'openai/test-model',
      parameters: { temperature: 0.7 },
      defaultTemperature: undefined,
      instructions: null,
      retrieval: undefined,
      restart: 'once',
      cache: undefined,
    },
    answerId: newId(),
    leaseOwner: newId(),
    position: { type: 'new', conversationId: newId(), title: 'one two three' },
    systemPrompt: undefined,
    hasFiles: false,
    compaction: undefined,
    newMessages: [{ id: newId(), role: 'user', content: 'one two three', tokenCount: 3, toolCallId: null }],
    idempotency: undefined,
  });
  expect(
    await generations.storeCheckpoint(turn, {
      attempt: 1,
      text: TEXT,
      calls: [],
      model: 'openai/test-model',
      inputTokens: 7,
    }),
  ).toBe('ours');
  await query(database, 'UPDATE messages SET lease_until = now() + make_interval(secs => $2) WHERE id = $1', [
    turn.answerId,
    leaseSeconds,
  ]);
  return turn;
}

/** Stores an answer as complete; returns whether the process still owned it. */
async function finish({ generations }: Process, turn: Turn): Promise<boolean> {
  return (await generations.finishTurn(turn, completed('four five six'))).leaseHeld;
}

/** Streams an answer until a checkpoint has stored two of its pieces. */
async function streamUntilCheckpoint(user: TestUser, gate: ReturnType<typeof gatedAnswer>) {
  const events = user.stream('/api/v1/chat/stream', { message: 'one two three' });
  const first: unknown = (await events.next()).value;
  const conversationId = String(at(first, 'data', 'conversation_id'));
  const answerId = String(at(first, 'data', 'message_id'));
  gate.release(2);
  await until('a checkpoint', async () => {
    const { messages } = await stored(database, conversationId);
    return messages[1]?.['content'] === TEXT;
  });
  return { events, conversationId, answerId };
}

/** A complete answer as its process would store it. */
function completed(text: string): TurnResult {
  const usage = {
    inputTokens: 41,
    outputTokens: 17,
    cachedTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
  };
  return {
    attempt: 1,
    tokenCount: 3,
    outcome: {
      status: 'complete',
      text,
      calls: [],
      model: 'openai/test-model',
      finishReason: 'stop',
      usage,
      costMicroUsd: null,
      warning: null,
      cached: false,
      completedAt: new Date(),
    },
    dueTasks: [],
    providerData: undefined,
    attempts: [
      {
        attempt: 1,
        provider: 'openai',
        model: 'test-model',
        outcome: 'completed',
        usage,
        costMicroUsd: null,
        estimated: false,
      },
    ],
  };
}

/** The usage that a sweep estimates for the one model call. */
const ESTIMATE = { outcome: 'cancelled', input_tokens: 7, output_tokens: 2, estimated: true };

/** Checks the stored state of an answer that was swept. */
async function expectInterrupted(
  turn: Pick<Turn, 'conversationId' | 'answerId'>,
  used: object = ESTIMATE,
): Promise<void> {
  const conversation = await stored(database, turn.conversationId);
  expect(conversation.messages).toMatchObject([
    { role: 'user', content: 'one two three', status: 'complete' },
    {
      id: turn.answerId,
      status: 'interrupted',
      content: TEXT,
      token_count: 2,
      input_tokens: 7,
      output_tokens: 2,
      finish_reason: null,
      error_code: 'interrupted',
      error_message: NAMED,
      completed_at: expect.any(Date) as unknown,
    },
  ]);
  expect(conversation.usage).toEqual([
    {
      call_id: turn.answerId,
      attempt: 1,
      provider: 'openai',
      model: 'test-model',
      ...used,
    },
  ]);
  expectSettled(conversation);
}

async function statusOf(turn: Turn): Promise<unknown> {
  const { messages } = await stored(database, turn.conversationId);
  return messages[1]?.['status'];
}

describe('answers whose process is gone', () => {
  it('are marked interrupted once their lease has expired, and not before', async () => {
    const one = startProcess();
    const expired = await beginTurn(one, -1);
    const held = await beginTurn(one, 10);
    expect(await one.recovery.recoverAnswers('expired')).toBe(1);
    await expectInterrupted(expired);
    expect(await statusOf(held)).toBe('generating');
    expect(await one.recovery.recoverAnswers('expired')).toBe(0);
  });

  it('are all marked interrupted at once if no other process can be running', async () => {
    const one = startProcess();
    const turns = [await beginTurn(one, -1), await beginTurn(one, 10)];
    expect(await one.recovery.recoverAnswers('all')).toBe(2);
    for (const turn of turns) await expectInterrupted(turn);
  });

  it('are all marked interrupted even if there are 250', async () => {
    const one = startProcess();
    await query(
      database,
      `WITH made AS (
         INSERT INTO conversations (id, user_id, title, next_position)
         SELECT gen_random_uuid(), $1, 'many', 1 FROM generate_series(1, 250) RETURNING id
       )
       INSERT INTO messages (id, conversation_id, user_id, position, role, status, content, lease_owner, lease_until)
       SELECT gen_random_uuid(), id, $1, 0, 'assistant', 'generating', '', gen_random_uuid(), now() FROM made`,
      [userId],
    );
    expect(await one.recovery.recoverAnswers('expired')).toBe(250);
    expect(
      await query(database, 'SELECT status, count(*)::int AS count FROM messages GROUP BY status'),
    ).toEqual([{ status: 'interrupted', count: 250 }]);
  });

  it('are billed once if two processes sweep at the same time', async () => {
    const one = startProcess();
    const two = startProcess();
    const turns: Turn[] = [];
    for (let index = 0; index < 20; index += 1) turns.push(await beginTurn(one, -1));
    const ended = await Promise.all([
      one.recovery.recoverAnswers('expired'),
      two.recovery.recoverAnswers('expired'),
    ]);
    expect(ended[0] + ended[1]).toBe(20);
    for (const turn of turns) await expectInterrupted(turn);
  });

  it('are billed once if both processes find them before either ends them', async () => {
    const one = startProcess();
    const two = startProcess();
    const turn = await beginTurn(one, -1);
    const [answer] = await one.repository.listAbandonedAnswers('expired', {
      except: [],
      after: undefined,
      limit: 1,
    });
    if (answer === undefined) throw new Error('The answer was not found.');
    const attempt = estimateAbandonedAttempt(
      { name: 'openai/test-model', inputTokens: 7, text: TEXT },
      PRICES,
    );
    const ended = await Promise.all(
      [one, two].map(({ repository }) =>
        repository.interruptAnswer(answer, 'expired', attempt, {
          attempt: 1,
          text: TEXT,
          calls: [],
          tokenCount: 2,
        }),
      ),
    );
    expect(ended.toSorted()).toEqual([false, true]);
    await expectInterrupted(turn);
  });
});

describe('an answer whose log cannot be read', () => {
  it('waits for a later sweep, because the log may contain text that clients saw, until its log has expired', async () => {
    const one = startProcess();
    const turn = await beginTurn(one, -1);
    one.log.paused = true;
    expect(await one.recovery.recoverAnswers('expired')).toBe(0);
    one.log.paused = false;
    expect(await one.recovery.recoverAnswers('expired')).toBe(1);
    await expectInterrupted(turn);
    const old = await beginTurn(one, -3700);
    one.log.paused = true;
    expect(await one.recovery.recoverAnswers('expired')).toBe(1);
    await expectInterrupted(old);
  });
});

describe('a process that was presumed dead but still runs', () => {
  it('does not sweep its own active answers, however old their lease is', async () => {
    const one = startProcess();
    const turn = await beginTurn(one, -3600);
    const ended = Promise.withResolvers<undefined>();
    one.active.add({
      turn,
      answer: new LiveAnswer(turn, one.log),
      abort: () => undefined,
      done: ended.promise,
    });
    expect(await one.recovery.recoverAnswers('expired')).toBe(0);
    ended.resolve(undefined);
    await ended.promise;
    expect(await one.recovery.recoverAnswers('expired')).toBe(1);
    await expectInterrupted(turn);
  });

  it('still owns its answer if it has renewed the lease in time', async () => {
    const one = startProcess();
    const turn = await beginTurn(one, -1);
    const [answer] = await one.repository.listAbandonedAnswers('expired', {
      except: [],
      after: undefined,
      limit: 1,
    });
    if (answer === undefined) throw new Error('The answer was not found.');
    expect(
      await one.generations.storeCheckpoint(turn, {
        attempt: 1,
        text: TEXT,
        calls: [],
        model: 'openai/test-model',
        inputTokens: 7,
      }),
    ).toBe('ours');
    const attempt = estimateAbandonedAttempt(
      { name: 'openai/test-model', inputTokens: 7, text: TEXT },
      PRICES,
    );
    expect(
      await startProcess().repository.interruptAnswer(answer, 'expired', attempt, {
        attempt: 1,
        text: TEXT,
        calls: [],
        tokenCount: 2,
      }),
    ).toBe(false);
    expect(await startProcess().recovery.recoverAnswers('expired')).toBe(0);
    expect(await finish(one, turn)).toBe(true);
    const conversation = await stored(database, turn.conversationId);
    expect(conversation.messages[1]).toMatchObject({ status: 'complete', content: 'four five six' });
    expect(conversation.usage).toMatchObject([{ outcome: 'completed', input_tokens: 41 }]);
    expectSettled(conversation);
  });

  it('can neither continue nor finish a swept answer, and its own usage replaces the estimate once', async () => {
    const one = startProcess();
    const turn = await beginTurn(one, -1);
    expect(await startProcess().recovery.recoverAnswers('expired')).toBe(1);
    expect(
      await one.generations.storeCheckpoint(turn, {
        attempt: 1,
        text: 'four five six',
        calls: [],
        model: 'openai/test-model',
        inputTokens: 7,
      }),
    ).toBe('lost');
    const known = { outcome: 'completed', input_tokens: 41, output_tokens: 17, estimated: false };
    // The result is the same on a second attempt.
    for (let tries = 0; tries < 2; tries += 1) {
      expect(await finish(one, turn)).toBe(false);
      await expectInterrupted(turn, known);
    }
  });

  it('finishes its answer or loses it to the sweep, whichever comes first, and never both', async () => {
    const one = startProcess();
    const two = startProcess();
    for (let round = 0; round < 15; round += 1) {
      const turn = await beginTurn(one, -1);
      const [finished, swept] = await Promise.all([
        finish(one, turn),
        two.recovery.recoverAnswers('expired'),
      ]);
      expect([finished, swept]).toEqual(finished ? [true, 0] : [false, 1]);
      expect(await statusOf(turn)).toBe(finished ? 'complete' : 'interrupted');
      const conversation = await stored(database, turn.conversationId);
      expect(conversation.usage).toHaveLength(1);
      expectSettled(conversation);
    }
  });

  it('still owns its answer when it stores the same result again', async () => {
    const one = startProcess();
    const turn = await beginTurn(one, 10);
    const settlement = completed('four five six');
    expect((await one.generations.finishTurn(turn, settlement)).leaseHeld).toBe(true);
    expect((await one.generations.finishTurn(turn, settlement)).leaseHeld).toBe(true);
    const conversation = await stored(database, turn.conversationId);
    expect(conversation.messages[1]).toMatchObject({ status: 'complete', content: 'four five six' });
    expect(conversation.usage).toHaveLength(1);
    expectSettled(conversation);
  });

  it('records its usage even if the conversation is deleted', async () => {
    const one = startProcess();
    const turn = await beginTurn(one, 10);
    await query(database, 'DELETE FROM conversations WHERE id = $1', [turn.conversationId]);
    expect(await finish(one, turn)).toBe(false);
    expect(await query(database, 'SELECT call_id, conversation_id, input_tokens FROM usage_records')).toEqual(
      [{ call_id: turn.answerId, conversation_id: null, input_tokens: 41 }],
    );
  });
});

// With Redis, other processes may be running, so a starting one ends only answers with an expired lease.
describe('an application that starts without Redis and is therefore alone', () => {
  let api: TestApi | undefined;

  afterEach(async () => {
    await api?.close();
    api = undefined;
  });

  itWithoutRedis('ends all answers of an earlier process, whatever their leases say', async () => {
    const one = startProcess();
    const turns = [await beginTurn(one, -1), await beginTurn(one, 10)];
    api = await startApi({}, database);
    for (const turn of turns) await expectInterrupted(turn);
  });

  itWithoutRedis(
    'records estimated usage until a process that still runs replaces it, and updates the totals',
    async () => {
      const provider = await startFakeProvider();
      const environment = {
        OPENAI_BASE_URL: provider.baseUrl,
        DEFAULT_MODEL: 'openai/test-model',
        MODEL_PRICES: JSON.stringify({ 'openai/test-model': { input: 10, output: 30 } }),
      };
      const running = await startApi(environment, database);
      try {
        const gate = gatedAnswer(['four', ' five', ' six'], {
          usage: { prompt_tokens: 1000, completion_tokens: 100 },
        });
        provider.script(gate);
        const user = await registerUser(running.url);
        const { events, conversationId, answerId } = await streamUntilCheckpoint(user, gate);
        // The next renewal of the lease would detect the loss, on a slow machine before the model has sent everything.
        jest.spyOn(GenerationRepository.prototype, 'storeCheckpoint').mockResolvedValue('ours');

        api = await startApi(environment, database);
        await expectInterrupted({ conversationId, answerId });
        gate.finish();
        expect((await collect(events)).at(-1)).toMatchObject({ error: { code: 'service_unavailable' } });
        const after = await stored(database, conversationId);
        expect(after.messages[1]).toMatchObject({ status: 'interrupted', content: TEXT });
        expect(after.usage).toEqual([
          expect.objectContaining({
            call_id: answerId,
            attempt: 1,
            outcome: 'completed',
            input_tokens: 1000,
            output_tokens: 100,
            estimated: false,
          }),
        ]);
        expect(after.conversation).toMatchObject({ tokens_total: 1100, cost_micro_usd: 13_000 });
        expectSettled(after);
      } finally {
        jest.restoreAllMocks();
        await running.close();
        await provider.close();
      }
    },
  );

  itWithoutRedis(
    'takes over the answers of a process that still runs: that one aborts, and its client gets an error',
    async () => {
      const provider = await startFakeProvider();
      const environment = { OPENAI_BASE_URL: provider.baseUrl, DEFAULT_MODEL: 'openai/test-model' };
      const running = await startApi(environment, database);
      try {
        const gate = gatedAnswer(['four', ' five', ' six']);
        provider.script(gate);
        const user = await registerUser(running.url);
        const asked = provider.nextRequest('chat');
        const { events, conversationId, answerId } = await streamUntilCheckpoint(user, gate);

        api = await startApi(environment, database);
        await expectInterrupted({ conversationId, answerId });
        // More text, so that the next checkpoint has something to store and detects the loss.
        gate.release();
        const rest = await collect(events);
        expect(rest.at(-1)).toMatchObject({ error: { code: 'service_unavailable' } });
        expect(await (await asked).closed).toMatchObject({ by: 'client' });
        expect((await stored(database, conversationId)).messages).toMatchObject([
          { status: 'complete' },
          { status: 'interrupted', content: TEXT },
        ]);

        const next = await user.request('POST', '/api/v1/chat', {
          message: 'again',
          conversation_id: conversationId,
        });
        expect(next.status).toBe(200);
        const conversation = await untilSettled(database, conversationId);
        expect(conversation.messages.map(({ status }) => status)).toEqual([
          'complete',
          'interrupted',
          'complete',
          'complete',
        ]);
      } finally {
        await running.close();
        await provider.close();
      }
    },
  );
});
