// One list of secrets is searched for in the log lines of requests, of provider errors and of unexpected
// failures.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { idOf, makeKey } from '../../support/accounts.js';
import { type ApiResponse, at, collect, send, textOf } from '../../support/client.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';
import { query } from '../../support/stored.js';

/** User content and secrets, none of which may ever appear in the log. */
const MESSAGE = 'the-question-nobody-may-read';
const PROMPT = 'the-system-prompt-nobody-may-read';
const ANSWER = 'the-answer-nobody-may-read';
const PASSWORD = 'the-password-nobody-may-read';
const PROVIDER_KEY = 'the-provider-key-nobody-may-read';
const QUERY = 'the-query-nobody-may-read';
const FOREIGN_KEY = 'the-key-nobody-may-read';
const EMAIL = 'the-address-nobody-may-read@example.com';
const JWT_SECRET = 'the-Signing-Secret-0123456789-nobody-may-read';
const SECRETS = [
  MESSAGE,
  PROMPT,
  ANSWER,
  PASSWORD,
  PROVIDER_KEY,
  QUERY,
  FOREIGN_KEY,
  EMAIL,
  JWT_SECRET,
  'nobody-may-read',
];

const WARN = 40;
const ERROR = 50;

const provider = setUpProvider({ apiKey: PROVIDER_KEY });
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  OPENAI_API_KEY: PROVIDER_KEY,
  JWT_SECRET,
  LOG_LEVEL: 'trace',
  MODEL_PRICES: '{"openai/test-model":{"input":1,"output":10}}',
}));
const user = setUpUser(api);

beforeAll(async () => {
  await query(
    api.database,
    `
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'refused: %', NEW.content USING DETAIL = NEW.content; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON messages FOR EACH ROW
      WHEN (NEW.content LIKE '%the database refuses this%') EXECUTE FUNCTION refuse()`,
  );
});

interface Line {
  readonly text: string;
  readonly level: number;
  readonly json: unknown;
}

/** Returns the lines logged during the given action. */
async function logOf(act: () => Promise<unknown>): Promise<Line[]> {
  const before = api.log.length;
  await act();
  // The line of a request is written after its response, possibly after the response has arrived here.
  await send(`${api.url}/health/live`);
  return api.log.slice(before).map((text) => {
    const json = JSON.parse(text) as unknown;
    return { text, json, level: Number(at(json, 'level')) };
  });
}

const requestLine = (lines: readonly Line[], { headers }: ApiResponse): unknown =>
  lines.find(({ json }) => at(json, 'req', 'id') === headers.get('x-request-id'))?.json;

function expectNoSecrets(lines: readonly Line[]): void {
  const text = lines.map((line) => line.text).join('\n');
  for (const secret of [...SECRETS, user.token, user.token.split('.')[2] ?? 'no token']) {
    expect(text).not.toContain(secret);
  }
  expect(text).not.toMatch(/authorization|x-api-key|Bearer /i);
}

/** Sends one request and returns it with its log lines. */
async function watch(
  request: () => Promise<ApiResponse>,
): Promise<{ answer: ApiResponse; lines: Line[]; line: unknown }> {
  let answer: ApiResponse | undefined;
  const lines = await logOf(async () => {
    answer = await request();
  });
  if (answer === undefined) throw new Error('No answer.');
  expectNoSecrets(lines);
  return { answer, lines, line: requestLine(lines, answer) };
}

describe('the log line of a request', () => {
  it('has id, method, path, route, user, status and duration, and nothing else', async () => {
    const { answer, line } = await watch(() =>
      user.request('GET', `/api/v1/conversations?limit=5&after=0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11`),
    );
    expect(line).toEqual({
      level: 30,
      time: expect.any(Number),
      req: { id: answer.headers.get('x-request-id'), method: 'GET', path: '/api/v1/conversations' },
      res: { status: 200 },
      responseTime: expect.any(Number),
      route: '/api/v1/conversations',
      user_id: await idOf(user),
      msg: expect.stringMatching(/^GET \/api\/v1\/conversations 200 \d+ ms$/),
    });
  });

  it.each<[what: string, path: string, body: object]>([
    ['a stored turn', '/api/v1/chat', { message: MESSAGE }],
    ['a streamed turn', '/api/v1/chat/stream', { message: MESSAGE }],
    ['a completion', '/v1/chat/completions', { messages: [{ role: 'user', content: MESSAGE }] }],
    [
      'a streamed completion',
      '/v1/chat/completions',
      { messages: [{ role: 'user', content: MESSAGE }], stream: true },
    ],
  ])('has the API key, model, tokens and cost of %s', async (_what, path, body) => {
    provider.script({ kind: 'answer', text: ANSWER, usage: { prompt_tokens: 30, completion_tokens: 7 } });
    const { id, program } = await makeKey(api, user, { scopes: ['chat'] });
    const { line } = await watch(() =>
      program.request('POST', path, { ...body, model: 'openai/test-model' }),
    );
    expect(line).toMatchObject({
      level: 30,
      route: path,
      user_id: await idOf(user),
      api_key_id: id,
      model: 'openai/test-model',
      input_tokens: 30,
      output_tokens: 7,
      cost_usd: 0.0001,
    });
  });

  it('sums the tokens of several calls, and has a model that only its caller has named as "other"', async () => {
    const usage = { prompt_tokens: 2, completion_tokens: 1 };
    provider.script({ kind: 'answer', usage }, { kind: 'answer', usage });
    const { line } = await watch(() =>
      user.request('POST', '/v1/completions', { model: 'openai/nobody-knows-it', prompt: ['One', 'Two'] }),
    );
    expect(line).toMatchObject({
      model: 'openai/other',
      input_tokens: 4,
      output_tokens: 2,
      cost_usd: null,
    });
  });

  it('has level debug for a health probe', async () => {
    const { line } = await watch(() => send(`${api.url}/health/live`));
    expect(at(line, 'level')).toBe(20);
    expect(at(line, 'res', 'status')).toBe(200);
  });

  it('is written once per request', async () => {
    const { answer, lines } = await watch(() => user.request('GET', '/api/v1/users/me'));
    const id = answer.headers.get('x-request-id') ?? '';
    expect(lines.filter(({ text }) => text.includes(id))).toHaveLength(1);
  });
});

describe('the log contains no user content or secrets of', () => {
  it('a registration and logins', async () => {
    const credentials = { email: EMAIL, password: PASSWORD };
    for (const [path, status] of [
      ['register', 201],
      ['register', 409],
      ['login', 200],
    ] as const) {
      const { answer, line, lines } = await watch(() =>
        send(`${api.url}/api/v1/auth/${path}`, { method: 'POST', body: credentials }),
      );
      expect(answer.status).toBe(status);
      expect(at(line, 'res', 'status')).toBe(status);
      const token = at(answer.body, 'access_token');
      if (typeof token === 'string') expect(lines.map(({ text }) => text).join()).not.toContain(token);
    }
    const wrong = await watch(() =>
      send(`${api.url}/api/v1/auth/login`, {
        method: 'POST',
        body: { email: EMAIL, password: `${PASSWORD}!` },
      }),
    );
    expect(at(wrong.line, 'res', 'status')).toBe(401);
  });

  it('a turn with its system prompt and answer', async () => {
    provider.script({ kind: 'answer', text: ANSWER });
    const { answer, line } = await watch(() =>
      user.request('POST', '/api/v1/chat', { message: MESSAGE, system_prompt: PROMPT }),
    );
    expect(at(answer.body, 'message')).toBe(ANSWER);
    expect(JSON.stringify(provider.requests.at(-1)?.body)).toContain(PROMPT);
    expect(at(line, 'res', 'status')).toBe(200);
    const read = await watch(() =>
      user.request('GET', `/api/v1/conversations/${String(at(answer.body, 'conversation_id'))}/messages`),
    );
    expect(JSON.stringify(read.answer.body)).toContain(MESSAGE);
  });

  it('a streamed turn', async () => {
    provider.script({ kind: 'answer', text: ANSWER });
    let text = '';
    const lines = await logOf(async () => {
      text = textOf(
        await collect(user.stream('/api/v1/chat/stream', { message: MESSAGE, system_prompt: PROMPT })),
      );
    });
    expect(text).toBe(ANSWER);
    expect(lines.some(({ json }) => at(json, 'req', 'path') === '/api/v1/chat/stream')).toBe(true);
    expectNoSecrets(lines);
  });

  it.each<[what: string, status: number, request: () => Promise<ApiResponse>]>([
    [
      'a truncated body',
      400,
      () =>
        send(`${api.url}/api/v1/chat`, {
          method: 'POST',
          body: `{"message": "${MESSAGE}`,
          headers: { authorization: `Bearer ${user.token}` },
        }),
    ],
    [
      'an unknown field',
      400,
      () => user.request('POST', '/api/v1/chat', { message: MESSAGE, [QUERY]: PROMPT }),
    ],
    [
      'a message that is too long',
      400,
      () => user.request('POST', '/api/v1/chat', { message: MESSAGE.repeat(500) }),
    ],
    [
      'a body that is too large',
      413,
      () => user.request('POST', '/api/v1/chat', { message: MESSAGE.repeat(80_000) }),
    ],
    ['an unknown model', 404, () => user.request('POST', '/api/v1/chat', { message: MESSAGE, model: QUERY })],
    [
      'an unknown API key',
      401,
      () => send(`${api.url}/api/v1/users/me`, { headers: { 'x-api-key': FOREIGN_KEY } }),
    ],
    [
      'another authentication scheme',
      401,
      () => send(`${api.url}/api/v1/users/me`, { headers: { authorization: `Basic ${FOREIGN_KEY}` } }),
    ],
    ['a query that is refused', 400, () => user.request('GET', `/api/v1/conversations?after=${QUERY}`)],
    ['the query of an unknown route', 404, () => send(`${api.url}/nope?token=${QUERY}`)],
    ['a cookie', 404, () => send(`${api.url}/nope`, { headers: { cookie: `session=${FOREIGN_KEY}` } })],
    [
      'a hostile request id',
      404,
      () => send(`${api.url}/nope`, { headers: { 'x-request-id': `<b>${QUERY}</b>` } }),
    ],
  ])('%s, and no warning about the client’s mistake', async (_what, status, request) => {
    const { answer, lines, line } = await watch(request);
    expect(answer.status).toBe(status);
    expect(at(line, 'res', 'status')).toBe(status);
    expect(at(line, 'level')).toBe(30);
    expect(lines.filter(({ level }) => level >= WARN)).toEqual([]);
  });
});

describe('a provider error that quotes the prompt', () => {
  const quoted = `I was asked "${MESSAGE}" under "${PROMPT}" with ${PROVIDER_KEY}`;

  it('in a refusal is not repeated in the log', async () => {
    provider.script({ kind: 'error', status: 400, message: quoted });
    const { answer, lines } = await watch(() => user.request('POST', '/api/v1/chat', { message: MESSAGE }));
    expect(answer.status).toBe(400);
    expect(lines.filter(({ level }) => level >= ERROR)).toEqual([]);
  });

  it('in a failure is not repeated in the warning about it', async () => {
    provider.setDefault({ kind: 'error', status: 500, message: quoted });
    const { answer, lines } = await watch(() => user.request('POST', '/api/v1/chat', { message: MESSAGE }));
    provider.setDefault({ kind: 'answer' });
    expect(answer.status).toBe(502);
    const id = answer.headers.get('x-request-id');
    const warned = lines.filter(({ level, json }) => level === WARN && at(json, 'request_id') === id);
    expect(warned.map(({ json }) => at(json, 'code'))).toEqual(['provider_error']);
    expect(lines.filter(({ level }) => level >= ERROR).map(({ json }) => at(json, 'res', 'status'))).toEqual([
      502,
    ]);
  });

  it('in mid-stream is not repeated in the log', async () => {
    provider.script({ kind: 'errorInStream', afterChunks: 1, text: [ANSWER], error: { message: quoted } });
    let events: unknown[] = [];
    const lines = await logOf(async () => {
      events = await collect(user.stream('/api/v1/chat/stream', { message: MESSAGE }));
    });
    expect(at(events.at(-1), 'error', 'code')).toEqual(expect.any(String));
    expectNoSecrets(lines);
  });
});

describe('an unexpected failure is answered with a fixed message and logged once, for', () => {
  const FIXED =
    'Something went wrong on the server. Try again; if the problem persists, report the request_id.';

  /** Checks the fixed response, and the one log line with the details for the operator. */
  async function expectUnforeseen(
    request: () => Promise<ApiResponse>,
    databaseError: { readonly name: string; readonly code: string },
  ): Promise<void> {
    const { answer, lines, line } = await watch(request);
    const id = answer.headers.get('x-request-id');
    expect(answer.status).toBe(500);
    expect(answer.body).toEqual({
      error: { code: 'internal_error', message: FIXED, type: 'api_error', param: null },
      request_id: id,
    });
    const errors = lines.filter(({ level, json }) => level >= ERROR && json !== line);
    expect(errors.map(({ json }) => json)).toEqual([
      {
        level: ERROR,
        time: expect.any(Number),
        context: 'ErrorFilter',
        code: 'internal_error',
        request_id: id,
        err: { ...databaseError, stack: expect.stringMatching(/^\s+at /) },
        msg: 'unexpected failure',
      },
    ]);
    expect(at(line, 'res', 'status')).toBe(500);
    expect(at(line, 'level')).toBe(ERROR);
    expect(at(line, 'err')).toBeUndefined();
  }

  it('a database error that quotes the message', async () => {
    await expectUnforeseen(
      () => user.request('POST', '/api/v1/chat', { message: `${MESSAGE}, the database refuses this` }),
      { name: 'DatabaseError', code: 'P0001' },
    );
  });

  it('a table that does not match the schema', async () => {
    await query(api.database, 'ALTER TABLE users RENAME COLUMN created_at TO born_at');
    try {
      await expectUnforeseen(
        () =>
          send(`${api.url}/api/v1/auth/login`, {
            method: 'POST',
            body: { email: EMAIL, password: PASSWORD },
          }),
        { name: 'PrismaClientKnownRequestError', code: 'P2022' },
      );
    } finally {
      await query(api.database, 'ALTER TABLE users RENAME COLUMN born_at TO created_at');
    }
    expect((await user.request('GET', '/api/v1/users/me')).status).toBe(200);
  });
});

it('values of sensitive property names are redacted in log lines', async () => {
  const { createLogger } = await import('../../../src/infra/telemetry/index.js');
  const lines: string[] = [];
  const logger = createLogger({
    level: 'trace',
    readable: false,
    destination: { write: (line: string) => void lines.push(line) },
  });
  logger.info({ password: PASSWORD, body: { content: MESSAGE, token: QUERY }, authorization: FOREIGN_KEY });
  expect(lines.join('')).toContain('[redacted]');
  expect(lines.join('')).not.toContain('nobody-may-read');
});
