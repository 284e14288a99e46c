// Mostly tables of bad input: each row is an invalid request and the exact error that its client receives.
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type ApiResponse, at, registerUser, send } from '../../support/client.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';
import { query } from '../../support/stored.js';

const CHAT = '/api/v1/chat';
const STREAM = '/api/v1/chat/stream';
const REGISTER = '/api/v1/auth/register';
const LOGIN = '/api/v1/auth/login';
const LIST = '/api/v1/conversations';
const UNKNOWN_ID = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';
const JSON_TYPE = { 'content-type': 'application/json' };

const TYPES = {
  invalid_request: 'invalid_request_error',
  payload_too_large: 'invalid_request_error',
  unsupported_media_type: 'invalid_request_error',
  not_found: 'not_found_error',
  model_not_found: 'not_found_error',
};

const NOT_AN_OBJECT = 'The request body is not a valid JSON object.';
const NOT_JSON = 'Send the request body as JSON in UTF-8, with "Content-Type: application/json".';
const TOO_DEEP = 'The request is nested deeper than 64 levels.';
const TOO_WIDE = 'An object in the request has more than 1000 fields.';
const BROKEN_PATH = 'The path is not valid: it contains a malformed % sequence.';
const plain = (field: string): string =>
  `${field} must be a string without NUL characters and lone surrogates`;
const unknown = (field: string): string => `${field} is not a field of this request`;

/**
 * The expected error. `wrong` lists the message of each invalid field in order; the rest is derived from it.
 */
type Refusal =
  | { readonly wrong: Readonly<Record<string, string>> }
  | {
      readonly status: number;
      readonly code: keyof typeof TYPES;
      readonly message: string;
      readonly param?: string;
    };

const invalid = (message: string): Refusal => ({ status: 400, code: 'invalid_request', message });
const notFound = (message: string): Refusal => ({ status: 404, code: 'not_found', message });
const unsupported: Refusal = { status: 415, code: 'unsupported_media_type', message: NOT_JSON };
const tooLarge: Refusal = {
  status: 413,
  code: 'payload_too_large',
  message: 'The request body is too large. The limit for a JSON body is 1 MB.',
};

let foreignId: string;

const provider = setUpProvider();
const api = setUpApi(() => ({ OPENAI_BASE_URL: provider.baseUrl }));
const user = setUpUser(api);

beforeAll(async () => {
  const other = await registerUser(api.url);
  foreignId = String(
    at((await other.request('POST', CHAT, { message: 'Mine alone' })).body, 'conversation_id'),
  );
});

/** Sends one request unchanged, with the user's token. */
async function ask(
  method: string,
  path: string,
  body?: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
): Promise<ApiResponse> {
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${user.token}`, ...(body !== undefined && headers) },
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? '' : (JSON.parse(text) as unknown),
  };
}

async function rowCounts(): Promise<unknown> {
  const rows = await query(
    api.database,
    `
    SELECT (SELECT count(*) FROM users) AS users,
           (SELECT count(*) FROM conversations) AS conversations,
           (SELECT count(*) FROM messages) AS messages,
           (SELECT count(*) FROM usage_records) AS usage_records`,
  );
  return rows[0];
}

/** Checks status, headers and body of an error. */
function expectRefused({ status, headers, body }: ApiResponse, refusal: Refusal): void {
  const fields = 'wrong' in refusal ? Object.entries(refusal.wrong) : [];
  const expected =
    'wrong' in refusal
      ? {
          ...invalid(`${Object.values(refusal.wrong).join('; ')}.`),
          status: 400,
          code: 'invalid_request' as const,
          param: fields[0]?.[0],
        }
      : refusal;
  const { code, param = null } = expected;
  expect(body).toEqual({
    error: {
      code,
      type: TYPES[code],
      message: 'message' in expected ? expected.message : '',
      param,
      ...(fields.length > 0 && { details: fields.map(([field, message]) => ({ field, message })) }),
    },
    request_id: headers.get('x-request-id'),
  });
  expect(status).toBe(expected.status);
  expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers.get('x-process-time')).toMatch(/^\d+\.\d{3}$/);
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
}

/**
 * Checks that a request is refused as expected, that nothing is stored, no model is called, and the process
 * still runs.
 */
async function expectHarmless(request: () => Promise<ApiResponse>, refusal: Refusal): Promise<void> {
  const before = await rowCounts();
  const asked = provider.requests.length;
  expectRefused(await request(), refusal);
  expect(await rowCounts()).toEqual(before);
  expect(provider.requests.slice(asked).filter(({ route }) => route === 'chat')).toEqual([]);
  expect((await send(`${api.url}/health/ready`)).status).toBe(200);
}

type Case = [what: string, body: unknown, refusal: Refusal];

const fieldsOfATurn: Case[] = [
  ['an unknown field', { message: 'x', color: 1 }, { wrong: { color: unknown('color') } }],
  [
    'two wrong fields at once',
    { message: 'x', color: 1, temperature: 3 },
    { wrong: { color: unknown('color'), temperature: 'temperature must not be greater than 2' } },
  ],
  ['no message', {}, { wrong: { message: 'message must be a string' } }],
  ['a null message', { message: null }, { wrong: { message: 'message must be a string' } }],
  ['a number as message', { message: 5 }, { wrong: { message: 'message must be a string' } }],
  ['a list as message', { message: ['x'] }, { wrong: { message: 'message must be a string' } }],
  ['an object as message', { message: { text: 'x' } }, { wrong: { message: 'message must be a string' } }],
  [
    'an empty message',
    { message: '' },
    { wrong: { message: 'message must be longer than or equal to 1 characters' } },
  ],
  ['a message of spaces', { message: '   ' }, { wrong: { message: 'message must not be blank' } }],
  ['a message of line breaks', { message: '\r\n\t\n' }, { wrong: { message: 'message must not be blank' } }],
  [
    '5,001 characters',
    { message: 'x'.repeat(5001) },
    { wrong: { message: 'message must be shorter than or equal to 5000 characters' } },
  ],
  [
    '5,001 code points',
    { message: `${'😀 '.repeat(2500)}!` },
    { wrong: { message: 'message must be shorter than or equal to 5000 characters' } },
  ],
  ['NUL in the message', { message: 'a\0b' }, { wrong: { message: plain('message') } }],
  ['half a surrogate pair in the message', { message: 'a\ud800b' }, { wrong: { message: plain('message') } }],
  [
    'NUL in the system prompt',
    { message: 'x', system_prompt: '\0' },
    { wrong: { system_prompt: plain('system_prompt') } },
  ],
  [
    'half a surrogate pair in the system prompt',
    { message: 'x', system_prompt: 'a\udc00' },
    { wrong: { system_prompt: plain('system_prompt') } },
  ],
  ['NUL in the model', { message: 'x', model: 'a\0' }, { wrong: { model: plain('model') } }],
  [
    'half a surrogate pair in the model',
    { message: 'x', model: '\ud83d' },
    { wrong: { model: plain('model') } },
  ],
  [
    'a system prompt of 1,001 characters',
    { message: 'x', system_prompt: 'y'.repeat(1001) },
    { wrong: { system_prompt: 'system_prompt must be shorter than or equal to 1000 characters' } },
  ],
  [
    'a number as system prompt',
    { message: 'x', system_prompt: 1 },
    { wrong: { system_prompt: 'system_prompt must be a string' } },
  ],
  ['an object as model', { message: 'x', model: {} }, { wrong: { model: 'model must be a string' } }],
  [
    'temperature 2.1',
    { message: 'x', temperature: 2.1 },
    { wrong: { temperature: 'temperature must not be greater than 2' } },
  ],
  [
    'temperature -0.1',
    { message: 'x', temperature: -0.1 },
    { wrong: { temperature: 'temperature must not be less than 0' } },
  ],
  [
    'temperature "1"',
    { message: 'x', temperature: '1' },
    { wrong: { temperature: 'temperature must be a number' } },
  ],
  [
    'temperature true',
    { message: 'x', temperature: true },
    { wrong: { temperature: 'temperature must be a number' } },
  ],
  [
    'max_tokens 0',
    { message: 'x', max_tokens: 0 },
    { wrong: { max_tokens: 'max_tokens must not be less than 1' } },
  ],
  [
    'max_tokens 1.5',
    { message: 'x', max_tokens: 1.5 },
    { wrong: { max_tokens: 'max_tokens must be an integer number' } },
  ],
  [
    'max_tokens "5"',
    { message: 'x', max_tokens: '5' },
    { wrong: { max_tokens: 'max_tokens must be an integer number' } },
  ],
  [
    'max_tokens beyond any model',
    { message: 'x', max_tokens: 1e300 },
    { wrong: { max_tokens: 'max_tokens must not be greater than 10000000' } },
  ],
  [
    'a malformed conversation id',
    { message: 'x', conversation_id: 'abc' },
    { wrong: { conversation_id: 'conversation_id must be a UUID' } },
  ],
  [
    'NUL in the conversation id',
    { message: 'x', conversation_id: `${UNKNOWN_ID}\0` },
    { wrong: { conversation_id: 'conversation_id must be a UUID' } },
  ],
  [
    'a list of conversation ids',
    { message: 'x', conversation_id: [UNKNOWN_ID] },
    { wrong: { conversation_id: 'conversation_id must be a UUID' } },
  ],
  [
    'an unknown conversation id',
    { message: 'x', conversation_id: UNKNOWN_ID },
    notFound(`There is no conversation '${UNKNOWN_ID}'.`),
  ],
  [
    'an unknown model',
    { message: 'x', model: 'nope' },
    {
      status: 404,
      code: 'model_not_found',
      message: "There is no model 'nope'. Available models: openai/test-model, demo/echo.",
      param: 'model',
    },
  ],
  [
    'an unknown provider',
    { message: 'x', model: 'nope/test-model' },
    {
      status: 404,
      code: 'model_not_found',
      message: "There is no model 'nope/test-model'. Available models: openai/test-model, demo/echo.",
      param: 'model',
    },
  ],
];

describe.each([CHAT, STREAM])('POST %s refuses', (path) => {
  it.each(fieldsOfATurn)('%s', async (_what, body, refusal) => {
    await expectHarmless(() => ask('POST', path, JSON.stringify(body)), refusal);
  });

  it('another account’s conversation, like one that does not exist', async () => {
    await expectHarmless(
      () => ask('POST', path, JSON.stringify({ message: 'x', conversation_id: foreignId })),
      notFound(`There is no conversation '${foreignId}'.`),
    );
  });
});

it('POST /api/v1/chat refuses a string for a boolean', async () => {
  await expectHarmless(() => ask('POST', CHAT, JSON.stringify({ message: 'x', stream: 'yes' })), {
    wrong: { stream: 'stream must be a boolean value' },
  });
});

const credentials = (changes: object): object => ({
  email: 'ada@example.com',
  password: 'a long password',
  ...changes,
});

const fieldsOfCredentials: Case[] = [
  ['nothing', {}, { wrong: { email: 'email must be a string', password: 'password must be a string' } }],
  ['an unknown field', credentials({ role: 'admin' }), { wrong: { role: unknown('role') } }],
  ['a null email', credentials({ email: null }), { wrong: { email: 'email must be a string' } }],
  ['an object as email', credentials({ email: {} }), { wrong: { email: 'email must be a string' } }],
  ['an invalid address', credentials({ email: 'ada' }), { wrong: { email: 'email must be an email' } }],
  [
    'an address of more than 300 characters',
    credentials({ email: `${'a'.repeat(300)}@example.com` }),
    { wrong: { email: 'email must be an email' } },
  ],
  ['NUL in the email', credentials({ email: 'a\0@example.com' }), { wrong: { email: plain('email') } }],
  [
    'half a surrogate pair in the email',
    credentials({ email: 'a\ud800@example.com' }),
    { wrong: { email: plain('email') } },
  ],
  [
    'NUL in the password',
    credentials({ password: 'a long\0password' }),
    { wrong: { password: plain('password') } },
  ],
  [
    'half a surrogate pair in the password',
    credentials({ password: 'a long password\udfff' }),
    { wrong: { password: plain('password') } },
  ],
  [
    'a list of eight as password',
    credentials({ password: Array.from('password') }),
    { wrong: { password: 'password must be a string' } },
  ],
];

describe.each([REGISTER, LOGIN])('POST %s refuses', (path) => {
  it.each(fieldsOfCredentials)('%s', async (_what, body, refusal) => {
    await expectHarmless(() => ask('POST', path, JSON.stringify(body)), refusal);
  });
});

const nested = (open: string, close: string): string => open.repeat(100_000) + close.repeat(100_000);

const wide = (fields: number): object =>
  Object.fromEntries(Array.from({ length: fields }, (_, index) => [`k${index}`, 1]));

const rawBodies: [what: string, body: string, refusal: Refusal][] = [
  ['a list as body', '[{"message":"x"}]', invalid(NOT_AN_OBJECT)],
  ['an empty list', '[]', invalid(NOT_AN_OBJECT)],
  ['a list of 300,000 objects', `[${'{},'.repeat(300_000)}{}]`, invalid(NOT_AN_OBJECT)],
  ['a number', '5', invalid(NOT_AN_OBJECT)],
  ['a string', '"x"', invalid(NOT_AN_OBJECT)],
  ['null', 'null', invalid(NOT_AN_OBJECT)],
  ['true', 'true', invalid(NOT_AN_OBJECT)],
  ['a truncated body', '{"message": "the secret of the', invalid(NOT_AN_OBJECT)],
  ['two bodies', '{"message":"x"}{"message":"x"}', invalid(NOT_AN_OBJECT)],
  ['NaN', '{"message":"x","temperature":NaN}', invalid(NOT_AN_OBJECT)],
  ['an XML body', '<message>the secret</message>', invalid(NOT_AN_OBJECT)],
  ['100,000 nested lists', nested('[', ']'), invalid(NOT_AN_OBJECT)],
  ['100,000 nested lists in a field', `{"message":${nested('[', ']')}}`, invalid(TOO_DEEP)],
  [
    '100,000 nested objects in a field',
    `{"message":${nested('{"a":', '}').replace('}', '1}')}}`,
    invalid(TOO_DEEP),
  ],
  [
    '100,000 nested objects in an unknown field',
    `{"message":"x","color":${nested('{"a":', '}').replace('}', '1}')}}`,
    invalid(TOO_DEEP),
  ],
  ['80,000 fields', JSON.stringify(wide(80_000)), invalid(TOO_WIDE)],
  ['80,000 fields in a field', JSON.stringify({ message: wide(80_000) }), invalid(TOO_WIDE)],
  ['2 MB', JSON.stringify({ message: 'x'.repeat(2_000_000) }), tooLarge],
  ['2 MB of malformed JSON', '{'.repeat(2_000_000), tooLarge],
];

describe.each([CHAT, STREAM, REGISTER, LOGIN])('POST %s refuses as a body', (path) => {
  it.each(rawBodies)('%s', async (_what, body, refusal) => {
    await expectHarmless(() => ask('POST', path, body), refusal);
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__'])(
    'the key %s',
    async (key) => {
      const body = `{"message":"x","email":"a@example.com","password":"a long password","${key}":{"admin":true}}`;
      await expectHarmless(() => ask('POST', path, body), { wrong: { [key]: unknown(key) } });
    },
  );

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/problem+json',
    'application/json; charset=latin1',
    'application/json; charset=utf-16',
    'application/json; charset="utf-7"',
    'json',
    ',;=',
  ])('content type %s', async (type) => {
    await expectHarmless(() => ask('POST', path, '{"message":"x"}', { 'content-type': type }), unsupported);
  });

  it('one without content type', async () => {
    await expectHarmless(
      () => ask('POST', path, new TextEncoder().encode('{"message":"x"}'), {}),
      unsupported,
    );
  });

  it('invalid data declared as gzip', async () => {
    await expectHarmless(
      () => ask('POST', path, 'garbage', { ...JSON_TYPE, 'content-encoding': 'gzip' }),
      invalid('The request could not be read.'),
    );
  });

  it('truncated gzip data', async () => {
    const half = new Uint8Array(gzipSync(JSON.stringify({ message: 'x'.repeat(100) }))).slice(0, 20);
    await expectHarmless(
      () => ask('POST', path, half, { ...JSON_TYPE, 'content-encoding': 'gzip' }),
      invalid('The request could not be read.'),
    );
  });

  it('an unknown content encoding', async () => {
    await expectHarmless(() => ask('POST', path, '{}', { ...JSON_TYPE, 'content-encoding': 'rot13' }), {
      status: 415,
      code: 'unsupported_media_type',
      message: 'The encoding of the request body is not supported. Send JSON encoded as UTF-8.',
    });
  });

  it('a few bytes that decompress to 5 MB', async () => {
    const bomb = new Uint8Array(gzipSync(JSON.stringify({ message: 'x'.repeat(5_000_000) })));
    expect(bomb.length).toBeLessThan(10_000);
    await expectHarmless(
      () => ask('POST', path, bomb, { ...JSON_TYPE, 'content-encoding': 'gzip' }),
      tooLarge,
    );
  });
});

it.each([
  ['no body', undefined],
  ['an empty body', ''],
])('%s is treated as a body without fields', async (_what, body) => {
  const wrong = { message: 'message must be a string' };
  await expectHarmless(() => ask('POST', CHAT, body), { wrong });
  await expectHarmless(() => ask('POST', STREAM, body), { wrong });
});

it('the error for a body of unknown fields only is smaller than the body', async () => {
  const { status, body: answer } = await ask('POST', CHAT, JSON.stringify(wide(1000)));
  expect(status).toBe(400);
  expect(JSON.stringify(answer).length).toBeLessThan(5000);
  expect(at(answer, 'error', 'details', 0, 'field')).toBe('k0');
});

const pages: [what: string, query: string, refusal: Refusal][] = [
  ['limit=0', 'limit=0', { wrong: { limit: 'limit must not be less than 1' } }],
  ['limit=101', 'limit=101', { wrong: { limit: 'limit must not be greater than 100' } }],
  ['limit=-1', 'limit=-1', { wrong: { limit: 'limit must not be less than 1' } }],
  ['limit=1.5', 'limit=1.5', { wrong: { limit: 'limit must be an integer number' } }],
  ['limit=abc', 'limit=abc', { wrong: { limit: 'limit must be an integer number' } }],
  ['an empty limit', 'limit=', { wrong: { limit: 'limit must not be less than 1' } }],
  ['limit twice', 'limit=1&limit=2', { wrong: { limit: 'limit must be an integer number' } }],
  ['limit as a list', 'limit[]=1', { wrong: { 'limit[]': unknown('limit[]') } }],
  ['after=abc', 'after=abc', { wrong: { after: 'after must be a UUID' } }],
  ['after twice', `after=${UNKNOWN_ID}&after=${UNKNOWN_ID}`, { wrong: { after: 'after must be a UUID' } }],
  ['NUL in after', 'after=%00', { wrong: { after: 'after must be a UUID' } }],
  ['half a surrogate pair in after', 'after=%ED%A0%80', { wrong: { after: 'after must be a UUID' } }],
  ['a broken % sequence in after', 'after=%', { wrong: { after: 'after must be a UUID' } }],
  ['10,000 characters of after', `after=${'a'.repeat(10_000)}`, { wrong: { after: 'after must be a UUID' } }],
  ['an unknown parameter', 'color=1', { wrong: { color: unknown('color') } }],
  ['__proto__', '__proto__=1', { wrong: { ['__proto__']: unknown('__proto__') } }],
  ['constructor', 'constructor=1', { wrong: { constructor: unknown('constructor') } }],
];

describe('a list request refuses', () => {
  it.each(pages)('%s', async (_what, query, refusal) => {
    await expectHarmless(() => ask('GET', `${LIST}?${query}`), refusal);
    await expectHarmless(() => ask('GET', `${LIST}/${foreignId}/messages?${query}`), refusal);
  });

  it('a message as cursor that is not in the conversation', async () => {
    const mine = String(at((await user.request('POST', CHAT, { message: 'Hello' })).body, 'conversation_id'));
    await expectHarmless(
      () => ask('GET', `${LIST}/${mine}/messages?after=${UNKNOWN_ID}`),
      notFound(`There is no message '${UNKNOWN_ID}'.`),
    );
  });
});

describe.each([
  ['GET', ''],
  ['GET', '/messages'],
  ['GET', '/export'],
  ['GET', '/shares'],
  ['POST', '/share'],
  ['PATCH', ''],
  ['DELETE', ''],
])('%s /api/v1/conversations/{id}%s refuses', (method, rest) => {
  it.each([
    ['a malformed id', 'abc'],
    ['an id with NUL', `${UNKNOWN_ID}%00`],
    ['an id with an extra digit', `${UNKNOWN_ID}0`],
    ['an SQL injection', "1'%20OR%20'1'='1"],
  ])('%s', async (_what, id) => {
    await expectHarmless(() => ask(method, `${LIST}/${id}${rest}`), { wrong: { id: 'id must be a UUID' } });
  });

  it('an unknown id', async () => {
    await expectHarmless(
      () => ask(method, `${LIST}/${UNKNOWN_ID}${rest}`),
      notFound(`There is no conversation '${UNKNOWN_ID}'.`),
    );
  });

  it('another account’s conversation, with the same message', async () => {
    await expectHarmless(
      () => ask(method, `${LIST}/${foreignId}${rest}`),
      notFound(`There is no conversation '${foreignId}'.`),
    );
  });

  it.each(['%', '%zz', '%ED%A0%80', '%C0%AF'])('the broken %% sequence %s', async (id) => {
    await expectHarmless(() => ask(method, `${LIST}/${id}${rest}`), invalid(BROKEN_PATH));
  });
});

describe('404 with the code not_found is returned for', () => {
  it.each([
    ['GET', '/nope'],
    ['GET', '/api/v1/nope'],
    ['POST', '/api/v1/nope'],
    ['GET', '/%'],
    ['GET', '/api/v1/conversations//'],
    ['GET', '/..%2f..%2fetc/passwd'],
    ['GET', CHAT],
    ['PUT', LIST],
    ['PUT', `${LIST}/${UNKNOWN_ID}`],
    ['POST', `${LIST}/${UNKNOWN_ID}`],
    ['OPTIONS', '/api/v1/users/me'],
  ])('%s %s', async (method, path) => {
    await expectHarmless(
      () => ask(method, path),
      notFound(`No such route: ${method} ${path}. See /docs for all routes.`),
    );
  });

  it('an unknown path, without repeating its query in the message', async () => {
    await expectHarmless(
      () => ask('GET', '/nope?key=the-secret'),
      notFound('No such route: GET /nope. See /docs for all routes.'),
    );
  });
});

it('a request line longer than the header limit is refused by Node.js itself', async () => {
  const response = await fetch(`${api.url}${LIST}?after=${'a'.repeat(20_000)}`);
  expect(response.status).toBe(431);
  expect((await send(`${api.url}/health/live`)).status).toBe(200);
});

describe('a turn accepts', () => {
  it.each<[what: string, body: object]>([
    ['5,000 characters', { message: 'abcd '.repeat(1000) }],
    ['5,000 code points that are 7,500 UTF-16 units', { message: '😀 '.repeat(2500) }],
    ['1,000 characters of system prompt', { message: 'x', system_prompt: 'abcd '.repeat(200) }],
    ['the upper ends of the ranges', { message: 'x', temperature: 2, max_tokens: 10_000_000 }],
    ['the lower ends of the ranges', { message: 'x', temperature: 0, max_tokens: 1 }],
    [
      'null for optional fields',
      {
        message: 'x',
        conversation_id: null,
        system_prompt: null,
        model: null,
        temperature: null,
        max_tokens: null,
        stream: null,
      },
    ],
  ])('%s', async (_what, body) => {
    const { status, body: answer } = await ask('POST', CHAT, JSON.stringify(body));
    expect(at(answer, 'error')).toBeUndefined();
    expect(status).toBe(200);
  });

  it('leading and trailing white space and every character, unchanged', async () => {
    const message = ' \u{1F468}‍\u{1F469}‍\u{1F467} é e\u0301 \u202E‮ \u{10FFFF} \n';
    const { body } = await user.request('POST', CHAT, { message });
    const id = String(at(body, 'conversation_id'));
    const { body: list } = await user.request('GET', `${LIST}/${id}/messages`);
    expect(at(list, 'data', 0, 'content')).toBe(message);
  });

  it.each(['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])(
    'content type %s',
    async (type) => {
      const { status } = await ask('POST', CHAT, '{"message":"x"}', { 'content-type': type });
      expect(status).toBe(200);
    },
  );

  it('a gzip-compressed body', async () => {
    const body = new Uint8Array(gzipSync('{"message":"x"}'));
    const { status } = await ask('POST', CHAT, body, { ...JSON_TYPE, 'content-encoding': 'gzip' });
    expect(status).toBe(200);
  });
});
