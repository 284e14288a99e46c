// Real here: the API on a socket, PostgreSQL, and a model provider. Planted are faults in our own code between the two, and
// refusals by it: whatever the schemas check, something will get as far as a mapping one day.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AppError } from '../../../src/common/errors.js';
import { AnthropicProvider } from '../../../src/llm/providers/anthropic/anthropic.provider.js';
import { OpenAiProvider } from '../../../src/llm/providers/openai/openai.provider.js';
import { SdkTransport } from '../../../src/llm/transport/sdk-transport.js';
import { startApi, type TestApi } from '../../support/api.js';
import { type ApiResponse, at, registerUser, type TestUser } from '../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../support/fake-provider/fake-provider.js';
import { query, type Row, until } from '../../support/stored.js';

/** More than opens a circuit, than there are places, and than an account may generate at once. */
const MANY = 7;

const MODEL = 'anthropic/claude-sonnet-4-5';
const QUESTION = 'one two three';
const FAULT_MESSAGE = 'planted: cannot read properties of undefined';

const fault = (): never => {
  throw new TypeError(FAULT_MESSAGE);
};
const refusal = (): never => {
  throw new AppError('invalid_request', 'The model takes no such part.', { param: 'messages.0.content.1' });
};

let provider: FakeProvider;
let api: TestApi;
let user: TestUser;

beforeAll(async () => {
  provider = await startFakeProvider();
  api = await startApi({
    ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
    LLM_HOSTS: JSON.stringify([
      { id: 'host', base_url: provider.baseUrl, models: ['m'] },
      { id: 'down', base_url: provider.baseUrl, models: ['m'] },
    ]),
    MODEL_ALIASES: JSON.stringify({
      first: [MODEL, 'host/m'],
      second: ['down/m', MODEL, 'host/m'],
    }),
    LLM_MAX_RETRIES: '2',
    // A place or a lease that is lost is missed at once.
    LLM_MAX_CONCURRENCY: '1',
    LLM_MAX_QUEUE: '1',
    RATE_LIMIT_CONCURRENCY: '1',
  });
});

beforeEach(async () => {
  user = await registerUser(api.url);
});

afterEach(() => {
  jest.restoreAllMocks();
  provider.reset();
});

afterAll(async () => {
  await api.close();
  await provider.close();
});

function ask(more: object = {}, as = user): Promise<ApiResponse> {
  return as.request('POST', '/v1/chat/completions', {
    model: MODEL,
    messages: [{ role: 'user', content: QUESTION }],
    ...more,
  });
}

/** The attempts of a user that were recorded, once there are so many. */
async function attemptsOf({ email }: TestUser, count: number): Promise<Row[]> {
  const read = (): Promise<Row[]> =>
    query(
      api.database,
      `SELECT attempt, provider, outcome, input_tokens FROM usage_records
       WHERE user_id = (SELECT id FROM users WHERE email = $1) ORDER BY created_at, attempt`,
      [email],
    );
  await until('the records of the attempts', async () => (await read()).length >= count);
  return read();
}

const chatRequests = (): number => provider.requests.filter(({ route }) => route === 'chat').length;

/** The places in our code where something can go wrong with a request, and how often its provider is asked for it. */
const PLACES: readonly [name: string, asked: number, plant: (thrower: () => never) => unknown][] = [
  [
    'where a request is fitted to its model',
    0,
    (thrower) => jest.spyOn(AnthropicProvider.prototype, 'droppedHints').mockImplementation(thrower),
  ],
  [
    'where a request is mapped',
    0,
    (thrower) => jest.spyOn(AnthropicProvider.prototype, 'stream').mockImplementation(thrower),
  ],
  [
    'where a reply is read',
    1,
    (thrower) => jest.spyOn(SdkTransport.prototype, 'take').mockImplementation(thrower),
  ],
];

describe.each(PLACES)('a fault of ours %s', (_name, asked, plant) => {
  it.each(['whole', 'stream'])(
    'is a logged 500, is not tried again, and shuts nobody out of the provider (%s)',
    async (mode) => {
      plant(fault);
      const stream = mode === 'stream';
      for (let count = 0; count < MANY; count += 1) {
        const response = await ask({ stream });
        expect([response.status, at(response.body, 'error', 'code')]).toEqual([500, 'internal_error']);
        const requestId = String(at(response.body, 'request_id'));
        const line = api.log.find((one) => one.includes(requestId) && one.includes('"level":50'));
        expect(line).toContain(FAULT_MESSAGE);
        expect(line).toContain('contained-faults.spec');
      }
      expect(chatRequests()).toBe(asked * MANY);

      jest.restoreAllMocks();
      const other = await registerUser(api.url);
      expect((await ask({ stream }, other)).status).toBe(200);
      // The places and the leases are all there.
      expect((await ask({ stream })).status).toBe(200);
    },
  );

  it('ends a chain: the next model would only meet it again', async () => {
    plant(fault);
    expect((await ask({ model: 'first' })).status).toBe(500);
    expect(provider.requests.filter(({ path }) => path.endsWith('/chat/completions'))).toEqual([]);
  });

  it('ends a turn, of which the failure is stored, and the conversation goes on', async () => {
    plant(fault);
    const failed = await user.request('POST', '/api/v1/chat', { message: QUESTION, model: MODEL });
    expect([failed.status, at(failed.body, 'error', 'code')]).toEqual([500, 'internal_error']);
    jest.restoreAllMocks();
    const conversation_id = failed.headers.get('x-conversation-id');
    const next = await user.request('POST', '/api/v1/chat', {
      message: 'again',
      model: 'host/m',
      conversation_id,
    });
    // The model echoes what it was asked: the question that has no answer is still part of it.
    expect([next.status, at(next.body, 'message')]).toEqual([200, `${QUESTION}\n\nagain`]);
  });
});

describe('a fault of ours', () => {
  it('in embeddings is a 500 as well, and shuts nobody out', async () => {
    jest.spyOn(OpenAiProvider.prototype, 'embed').mockImplementation(fault);
    const body = { model: 'host/m', input: 'one' };
    for (let count = 0; count < MANY; count += 1) {
      expect((await user.request('POST', '/v1/embeddings', body)).status).toBe(500);
    }
    jest.restoreAllMocks();
    expect((await user.request('POST', '/v1/embeddings', body)).status).toBe(200);
  });

  it('in the counting of tokens is a 500, and no estimate that hides it', async () => {
    jest.spyOn(AnthropicProvider.prototype, 'countTokens').mockImplementation(fault);
    const body = { model: MODEL, messages: [{ role: 'user', content: QUESTION }] };
    const response = await user.request('POST', '/v1/messages/count_tokens', body);
    expect([response.status, at(response.body, 'error', 'type')]).toEqual([500, 'api_error']);
  });
});

describe.each(PLACES.slice(0, 2))('a refusal of ours %s', (_name, _asked, plant) => {
  it.each(['whole', 'stream'])(
    'is a 400 that names the field, is billed to nobody, and shuts nobody out (%s)',
    async (mode) => {
      plant(refusal);
      const stream = mode === 'stream';
      for (let count = 0; count < MANY; count += 1) {
        expect(await ask({ stream })).toMatchObject({
          status: 400,
          body: { error: { code: 'invalid_request', param: 'messages.0.content.1' } },
        });
      }
      expect(provider.requests).toEqual([]);
      jest.restoreAllMocks();
      const other = await registerUser(api.url);
      expect((await ask({ stream }, other)).status).toBe(200);
      expect((await ask({ stream })).status).toBe(200);
      expect(await attemptsOf(user, 1)).toMatchObject([{ attempt: 1, outcome: 'completed' }]);
    },
  );

  it('ends a chain, and what other models were asked before is recorded', async () => {
    plant(refusal);
    provider.setDefault({ kind: 'error', status: 404 });
    expect(await ask({ model: 'second' })).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', param: 'messages.0.content.1' } },
    });
    expect(chatRequests()).toBe(1);
    expect(await attemptsOf(user, 1)).toMatchObject([{ attempt: 1, provider: 'down', outcome: 'failed' }]);
  });

  it('ends a turn with the same 400', async () => {
    plant(refusal);
    const failed = await user.request('POST', '/api/v1/chat', { message: QUESTION, model: MODEL });
    expect(failed).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', param: 'messages.0.content.1' } },
    });
  });
});
