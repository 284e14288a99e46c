// Real components: the API on a socket, PostgreSQL, and a model provider. The tests inject bugs and refusals
// into Parley's own code between the two, because despite all schema checks some input will reach a mapping
// one day.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AppError } from '../../../../src/common/errors.js';
import { AnthropicProvider } from '../../../../src/llm/providers/anthropic/anthropic.provider.js';
import { OpenAiProvider } from '../../../../src/llm/providers/openai/openai.provider.js';
import { SdkTransport } from '../../../../src/llm/transport/sdk-transport.js';
import { startApi, type TestApi } from '../../../support/api.js';
import { type ApiResponse, at, registerUser, type TestUser } from '../../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../../support/fake-provider/fake-provider.js';
import { query, type Row, until } from '../../../support/stored.js';

/** Exceeds the failures that open a circuit, the concurrency slots, and an account's concurrent answers. */
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
    // With limits of one, a leaked slot or lease is noticed at once.
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

/** Returns the recorded attempts of a user once there are at least that many. */
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

/**
 * The places in Parley's code where handling a request can fail, with the number of provider requests for
 * each.
 */
const PLACES: readonly [name: string, asked: number, plant: (thrower: () => never) => unknown][] = [
  [
    'while adapting a request to its model',
    0,
    (thrower) => jest.spyOn(AnthropicProvider.prototype, 'droppedParameters').mockImplementation(thrower),
  ],
  [
    'while mapping a request',
    0,
    (thrower) => jest.spyOn(AnthropicProvider.prototype, 'stream').mockImplementation(thrower),
  ],
  [
    'while reading a reply',
    1,
    (thrower) => jest.spyOn(SdkTransport.prototype, 'takeBody').mockImplementation(thrower),
  ],
];

describe.each(PLACES)('an internal error %s', (_name, asked, plant) => {
  it.each(['whole', 'stream'])(
    'is a logged 500, is not retried, and blocks no provider requests (%s)',
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
      // All slots and leases have been released.
      expect((await ask({ stream })).status).toBe(200);
    },
  );

  it('stops an alias without fallback, because the next model would hit it again', async () => {
    plant(fault);
    expect((await ask({ model: 'first' })).status).toBe(500);
    expect(provider.requests.filter(({ path }) => path.endsWith('/chat/completions'))).toEqual([]);
  });

  it('fails a turn, is stored with it, and the conversation can continue', async () => {
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
    // The model echoes its input: the unanswered question is still part of it.
    expect([next.status, at(next.body, 'message')]).toEqual([200, `${QUESTION}\n\nagain`]);
  });
});

describe('an internal error', () => {
  it('in embeddings is a 500 too, and blocks no requests', async () => {
    jest.spyOn(OpenAiProvider.prototype, 'embed').mockImplementation(fault);
    const body = { model: 'host/m', input: 'one' };
    for (let count = 0; count < MANY; count += 1) {
      expect((await user.request('POST', '/v1/embeddings', body)).status).toBe(500);
    }
    jest.restoreAllMocks();
    expect((await user.request('POST', '/v1/embeddings', body)).status).toBe(200);
  });

  it('in token counting is a 500 and not hidden by an estimate', async () => {
    jest.spyOn(AnthropicProvider.prototype, 'countTokens').mockImplementation(fault);
    const body = { model: MODEL, messages: [{ role: 'user', content: QUESTION }] };
    const response = await user.request('POST', '/v1/messages/count_tokens', body);
    expect([response.status, at(response.body, 'error', 'type')]).toEqual([500, 'api_error']);
  });
});

describe.each(PLACES.slice(0, 2))('a refusal by Parley %s', (_name, _asked, plant) => {
  it.each(['whole', 'stream'])(
    'is a 400 that names the field, costs nothing, and blocks no provider requests (%s)',
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

  it('stops an alias without fallback, and the earlier attempts at other models are recorded', async () => {
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
