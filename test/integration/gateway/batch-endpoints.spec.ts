// Real components: the module of the worker process, an API on a socket over the same PostgreSQL, and the provider's
// protocol. The requests of batches, compared with the routes that they name.
import type { TestingModule } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { WorkerModule } from '../../../src/app/worker.module.js';
import type { AccountAccess } from '../../../src/common/caller.js';
import { AppError } from '../../../src/common/errors.js';
import { type BatchEndpoint, BatchEndpoints } from '../../../src/features/batches/index.js';
import { ChatCompletionsService } from '../../../src/gateway/openai/chat-completions.service.js';
import type { AttemptRecord } from '../../../src/llm/index.js';
import { idOf, makeKey, registerAdmin } from '../../support/accounts.js';
import { at, listAt, registerUser, type TestUser } from '../../support/client.js';
import { compile, runtimeOver } from '../../support/composition.js';
import { makeDataDir } from '../../support/data-dir.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import { addText, COLLECTIONS } from '../../support/rag-documents.js';
import { setUpApi, setUpProvider, setUpResource, setUpUser } from '../../support/set-up.js';
import { query } from '../../support/stored.js';

const CHAT = '/v1/chat/completions';
const HELLO = { messages: [{ role: 'user', content: 'Hello' }] };
const MODEL = 'openai/test-model';

interface Usage {
  readonly callId: string;
  readonly attempts: readonly AttemptRecord[];
}

const provider = setUpProvider();
// Shared, because either of them extracts the text of a document that the other one has stored.
const dataDir = setUpResource(async () => {
  const folder = await makeDataDir();
  return { resource: folder.path, close: () => folder.remove() };
});
const settings = (): Record<string, string> => ({
  DATA_DIR: dataDir(),
  OPENAI_BASE_URL: provider.baseUrl,
  DEFAULT_MODEL: MODEL,
  LLM_MAX_RETRIES: '0',
  LLM_MAX_CONCURRENCY: '2',
  LLM_MAX_QUEUE: '0',
});
const api = setUpApi(settings);
const user = setUpUser(api);
const worker = setUpResource(async () => {
  const module = await startWorker();
  return { resource: module, close: () => module.close() };
});

async function startWorker(): Promise<TestingModule> {
  const module = await compile(WorkerModule.forRoot(runtimeOver(api.database.url, settings())));
  await module.init();
  return module;
}

/** Answers a request as a worker does. Returns the body of the response, and the usage. */
async function ask(
  body: object,
  {
    endpoint = CHAT,
    caller,
    signal = new AbortController().signal,
    usage = [],
    module = worker(),
  }: {
    readonly endpoint?: BatchEndpoint;
    readonly caller?: AccountAccess;
    readonly signal?: AbortSignal;
    readonly usage?: Usage[];
    readonly module?: TestingModule;
  } = {},
): Promise<{ readonly body: unknown; readonly usage: readonly Usage[] }> {
  const endpoints = module.get(BatchEndpoints, { strict: false });
  const text = await endpoints.answer({
    endpoint,
    caller: caller ?? { userId: await idOf(user), apiKeyId: null },
    body: endpoints.parseJson(Buffer.from(JSON.stringify(body))),
    signal,
    recordUsage: (callId, attempts) => {
      usage.push({ callId, attempts });
    },
  });
  return { body: JSON.parse(text), usage };
}

/** Returns the error with which a request is refused. */
async function refusalOf(asked: Promise<unknown>): Promise<AppError> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw new Error('The request was not refused.', { cause: error });
}

/** Removes what differs between two equal responses. */
function comparable(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body, (key, value: unknown) =>
      ['id', 'created', 'request_id'].includes(key) ? undefined : value,
    ),
  );
}

describe('a request of a batch', () => {
  it.each<[BatchEndpoint, object]>([
    [CHAT, { ...HELLO, temperature: null, custom: 1 }],
    ['/v1/completions', { model: MODEL, prompt: ['One', 'Two'] }],
    ['/v1/embeddings', { model: 'openai/embedder', input: ['One', 'Two'], encoding_format: 'base64' }],
  ])('of %s is answered as by the route', async (endpoint, body) => {
    const response = await user.request('POST', endpoint, body);
    expect(response.status).toBe(200);
    const asked = await ask(body, { endpoint });
    expect(comparable(asked.body)).toEqual(comparable(response.body));
    const [first, second] = provider.requests.map(({ body: sent }) => sent);
    if (endpoint !== '/v1/completions') expect(second).toEqual(first);
  });

  it.each<[string, BatchEndpoint, object]>([
    ['a missing field', CHAT, { model: MODEL }],
    ['an unknown model', CHAT, { ...HELLO, model: 'nobody/none' }],
    [
      'an unknown file',
      CHAT,
      { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'x' } }] }] },
    ],
    ['an unsupported field', '/v1/completions', { prompt: 'One', echo: true }],
    ['no model', '/v1/embeddings', { input: 'One' }],
  ])('with %s has the error of the route', async (_what, endpoint, body) => {
    const response = await user.request('POST', endpoint, body);
    const error = await refusalOf(ask(body, { endpoint }));
    const { status, body: text } = worker().get(BatchEndpoints, { strict: false }).errorBody(error, 'r1');
    expect(status).toBe(response.status);
    const own: unknown = JSON.parse(text);
    expect(comparable(own)).toEqual(comparable(response.body));
    expect(at(own, 'request_id')).toBe('r1');
  });

  it('is not streamed', async () => {
    for (const endpoint of [CHAT, '/v1/completions'] as const) {
      const error = await refusalOf(ask({ ...HELLO, prompt: 'One', stream: true }, { endpoint }));
      expect(error).toMatchObject({ code: 'invalid_request', param: 'stream' });
      expect(error.message).toMatch(/batch/);
    }
    expect(provider.requests).toEqual([]);
  });

  it('has the limits of a body', () => {
    const endpoints = worker().get(BatchEndpoints, { strict: false });
    for (const text of ['{"__proto__":1}', '['.repeat(200), '{', '"\\u0000"'])
      expect(() => endpoints.parseJson(Buffer.from(text))).toThrow(AppError);
    expect(() => endpoints.parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow('UTF-8');
  });

  it('knows the provider of each model', async () => {
    const endpoints = worker().get(BatchEndpoints, { strict: false });
    expect(await endpoints.findLane(undefined)).toBe('openai');
    expect(await endpoints.findLane('demo/echo')).toBe('demo');
    expect(await endpoints.findLane('nobody/none')).toBeUndefined();
  });
});

describe('the usage of a request of a batch', () => {
  it('goes to the batch and not to the ledger, for each call whatever its outcome', async () => {
    const module = await startWorker();
    const someone = await registerUser(api.url);
    const as = { caller: { userId: await idOf(someone), apiKeyId: null }, module };
    const two = await ask({ prompt: ['One', 'Two'] }, { endpoint: '/v1/completions', ...as });
    expect(two.usage.map(({ attempts }) => attempts.map(({ outcome }) => outcome))).toEqual([
      ['completed'],
      ['completed'],
    ]);
    expect(new Set(two.usage.map(({ callId }) => callId)).size).toBe(2);

    const failed: Usage[] = [];
    provider.script({ kind: 'error', status: 500 });
    await refusalOf(ask(HELLO, { ...as, usage: failed }));
    expect(failed).toMatchObject([{ attempts: [{ outcome: 'failed' }] }]);

    const aborted: Usage[] = [];
    const leaving = new AbortController();
    provider.script(gatedAnswer(['never']));
    const asked = refusalOf(ask(HELLO, { ...as, usage: aborted, signal: leaving.signal }));
    await provider.nextRequest('chat');
    leaving.abort();
    await asked;
    expect(aborted).toMatchObject([{ attempts: [{ outcome: 'cancelled' }] }]);

    const embedded = await ask(
      { model: 'openai/embedder', input: 'One' },
      { endpoint: '/v1/embeddings', ...as },
    );
    expect(embedded.usage).toMatchObject([{ attempts: [{ outcome: 'completed', model: 'embedder' }] }]);

    // The worker writes what its sink has before it ends.
    await module.close();
    const written = 'SELECT 1 FROM usage_records WHERE user_id = $1';
    expect(await query(api.database, written, [as.caller.userId])).toEqual([]);
  });

  it('includes the search in the collection that it names', async () => {
    await user.request('POST', COLLECTIONS, { name: 'tides', embedding_model: 'openai/embedder' });
    await addText(api.url, user, 'tides', 'High tide is at noon.');
    const { body, usage } = await ask({
      messages: [{ role: 'user', content: 'When is high tide?' }],
      collection: 'tides',
    });
    expect(listAt(body, 'sources')).not.toEqual([]);
    expect(usage.flatMap(({ attempts }) => attempts.map(({ model }) => model)).toSorted()).toEqual([
      'embedder',
      'test-model',
    ]);
  });

  it('shows that a repeated answer came from the cache', async () => {
    const cached = { messages: [{ role: 'user', content: 'Same again' }], cache: true };
    await ask(cached);
    const again = await ask(cached);
    expect(again.usage).toMatchObject([{ attempts: [{ outcome: 'cached' }] }]);
    expect(provider.requests).toHaveLength(1);
  });
});

describe('the caller of a request of a batch', () => {
  it('has the current scopes of its key', async () => {
    const { id } = await makeKey(api, user, { scopes: ['batch'] });
    const caller = { userId: await idOf(user), apiKeyId: id };
    expect((await ask(HELLO, { caller })).usage).toHaveLength(1);
    const error = await refusalOf(ask({ ...HELLO, collection: 'any' }, { caller }));
    expect(error.code).toBe('insufficient_scope');
  });

  it('is refused once its key is revoked, or its account is disabled', async () => {
    const someone: TestUser = await registerUser(api.url);
    const { id } = await makeKey(api, someone, { scopes: ['batch'] });
    const userId = await idOf(someone);
    await someone.request('DELETE', `/api/v1/api-keys/${id}`);
    expect((await refusalOf(ask(HELLO, { caller: { userId, apiKeyId: id } }))).code).toBe('invalid_api_key');
    const admin = await registerAdmin(api);
    await admin.request('PATCH', `/api/v1/users/${userId}`, { disabled: true });
    expect((await refusalOf(ask(HELLO, { caller: { userId, apiKeyId: null } }))).code).toBe('unauthorized');
    expect(provider.requests).toEqual([]);
  });
});

describe('the calls of requests of batches', () => {
  it('wait for a slot however many they are, and leave one to other requests', async () => {
    const gate = gatedAnswer(['ok']);
    provider.setDefault(gate);
    const asked = Array.from({ length: 5 }, () => ask(HELLO));
    await provider.nextRequest('chat');
    provider.script({ kind: 'answer', text: 'at once' });
    const caller = { userId: await idOf(user), apiKeyId: null, cacheGeneration: 0, scopes: 'all' } as const;
    const chat = worker().get(ChatCompletionsService, { strict: false });
    const { signal } = new AbortController();
    const { completion } = await chat.complete(
      caller,
      { messages: [{ role: 'user', content: 'Now' }] },
      signal,
    );
    expect(completion).toContain('at once');
    expect(provider.requests).toHaveLength(2);
    gate.finish();
    expect(await Promise.all(asked)).toHaveLength(5);
  });
});
