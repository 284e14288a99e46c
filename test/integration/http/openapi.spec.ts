// The document is fetched once for the checks of its content, of the pages that show it, and of real
// responses.
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ERROR_TABLE } from '../../../src/http/errors/error-table.js';
import { emptyFormFields } from '../../../src/http/openapi/swagger-ui-plugin.js';
import { at, listAt, registerUser, send, type TestUser } from '../../support/client.js';
import { misfits } from '../../support/schema-check.js';
import { setUpApi, setUpProvider } from '../../support/set-up.js';

interface Operation {
  readonly name: string;
  readonly path: string;
  readonly method: string;
  readonly operation: unknown;
}

let source: string;
let document: unknown;
let operations: Operation[];

const provider = setUpProvider();
const api = setUpApi(() => ({ OPENAI_BASE_URL: provider.baseUrl }));

beforeAll(async () => {
  source = await (await fetch(`${api.url}/docs-json`)).text();
  document = JSON.parse(source) as unknown;
  operations = entriesAt(document, 'paths').flatMap(([path, item]) =>
    entriesAt(item).map(([method, operation]) => ({
      name: `${method} ${path}`,
      path,
      method,
      operation,
    })),
  );
});

function entriesAt(value: unknown, ...keys: readonly string[]): [string, unknown][] {
  return Object.entries(Object(at(value, ...keys) ?? {}) as Record<string, unknown>);
}

async function problemsOf(text: string): Promise<string[]> {
  // Every finding of a recommended rule counts, whether it is an error or a warning.
  // `GET /chat/stream/{message_id}` and `POST /chat/{message_id}/stop` have different methods, which that
  // rule ignores.
  const config = await createConfig({
    extends: ['recommended'],
    rules: { 'no-ambiguous-paths': 'off' },
  });
  const problems = await lintFromString({ source: text, absoluteRef: '/openapi.json', config });
  return problems.map(
    ({ ruleId, message, location }) =>
      `${ruleId}: ${message} ${location.map((place) => String(place.pointer)).join()}`,
  );
}

describe('the OpenAPI document', () => {
  it('has no linter findings', async () => {
    expect(await problemsOf(source)).toEqual([]);
  });

  it('is really linted: injected faults are found', async () => {
    const planted = source.replace('"operationId":"Users_me"', '"operationId":"Chat_chat"');
    expect(planted).not.toBe(source);
    expect((await problemsOf(planted)).join()).toContain('operation-operationId-unique');
    expect((await problemsOf(source.replaceAll('UserBody"}', 'NoBody"}'))).join()).toContain(
      'no-unresolved-refs',
    );
  });

  it('is OpenAPI 3.0 and represents null with nullable', () => {
    expect(at(document, 'openapi')).toMatch(/^3\.0\.\d$/);
    // 3.1 has an array of types; 3.0 has one type and `nullable`.
    expect(source).not.toMatch(/"type":(\[|"null")/);
    expect(source).toContain('"nullable":true');
  });

  it('has this version, a server and a license', async () => {
    const { body } = await send(`${api.url}/`);
    expect(at(document, 'info', 'version')).toBe(at(body, 'version'));
    expect(at(document, 'info', 'license', 'name')).toBe('MIT');
    expect(at(document, 'servers', 0, 'url')).toBe('/');
  });

  it('has a summary, one tag and a unique operationId for every operation', () => {
    const declared = listAt(document, 'tags').map((tag) => at(tag, 'name'));
    expect(operations.length).toBeGreaterThanOrEqual(14);
    for (const { name, operation } of operations) {
      expect({ name, summary: at(operation, 'summary') }).toEqual({
        name,
        summary: expect.stringMatching(/\w/),
      });
      const tags = listAt(operation, 'tags');
      expect(tags).toHaveLength(1);
      expect(declared).toContain(tags[0]);
    }
    const ids = operations.map(({ operation }) => at(operation, 'operationId'));
    expect(ids).toEqual(ids.map(() => expect.stringMatching(/^[A-Z]\w+_\w+$/)));
    expect(new Set(ids).size).toBe(ids.length);
    for (const tag of listAt(document, 'tags'))
      expect(at(tag, 'description')).toEqual(expect.stringMatching(/\w/));
    const used = new Set(operations.map(({ operation }) => at(operation, 'tags', 0)));
    expect([...used].sort()).toEqual(declared.sort());
  });

  it('describes the success and the errors of every operation, with the examples of the error table', () => {
    for (const { name, operation } of operations) {
      const responses = entriesAt(operation, 'responses');
      // 206 is the answer to a range, besides the 200 of the whole; 200 beside 202 is that to a known document.
      const accepted = responses.some(([status]) => status === '202');
      const good = responses.filter(
        ([status]) => status.startsWith('2') && status !== '206' && !(accepted && status === '200'),
      );
      expect({ name, good: good.map(([status]) => status) }).toEqual({
        name,
        good: [expect.stringMatching(/^(200|201|202|204)$/)],
      });
      for (const [, response] of responses) {
        expect(at(response, 'description')).toEqual(expect.stringMatching(/\w/));
      }
      for (const [status, response] of good) {
        const content = entriesAt(response, 'content').map(([type]) => type);
        if (status === '204') expect({ name, content }).toEqual({ name, content: [] });
        // These routes respond in either format, depending on the request body.
        else if (streamsOnDemand(name, operation)) {
          const stream = name.includes('/ollama/') ? 'application/x-ndjson' : 'text/event-stream';
          expect({ name, content }).toEqual({ name, content: ['application/json', stream] });
        } else if (name.endsWith('/export')) {
          expect({ name, content }).toEqual({ name, content: ['application/json', 'text/markdown'] });
        } else if (name === 'get /api/v1/batch/{job_id}/results') {
          expect({ name, content }).toEqual({ name, content: ['application/jsonl', 'application/json'] });
        } else expect({ name, content }).toEqual({ name, content: [expect.any(String)] });
      }
      const errors = responses.filter(([status]) => !/^[23]/.test(status));
      expect(errors.map(([status]) => status)).toEqual(expect.arrayContaining(['400', '500', '503']));
      for (const [status, response] of errors)
        expectErrors(`${name} ${status}`, Number(status), response, name.includes('/ollama/'));
    }
  });

  function streamsOnDemand(name: string, operation: unknown): boolean {
    if (/^post \/api\/v1\/.*\/?(chat|edit|regenerate|tool-results|analyze\/pdf|rag\/query)$/.test(name))
      return true;
    const body = at(operation, 'requestBody', 'content', 'application/json', 'schema');
    return at(body, 'properties', 'stream') !== undefined;
  }

  function expectErrors(where: string, status: number, response: unknown, asSentence: boolean): void {
    const json = at(response, 'content', 'application/json');
    const schema = asSentence ? 'OllamaErrorBody' : 'ErrorBody';
    expect(at(json, 'schema')).toEqual({ $ref: `#/components/schemas/${schema}` });
    const examples = entriesAt(json, 'examples');
    expect({ where, examples: examples.length > 0 }).toEqual({ where, examples: true });
    for (const [code, example] of examples) {
      const entry = Object.entries(ERROR_TABLE).find(([name]) => name === code)?.[1];
      expect({ where, code, status: entry?.status }).toEqual({ where, code, status });
      const own = {
        error: { code, type: entry?.type, message: entry?.meaning, param: null },
        request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      };
      expect(at(example, 'value')).toEqual(asSentence ? { error: entry?.meaning } : own);
      expect(at(response, 'description')).toContain(`\`${code}\``);
      expect(misfits(document, at(json, 'schema'), at(example, 'value'))).toEqual([]);
    }
  }

  it('marks the operations that require credentials, and only those with the error unauthorized', () => {
    expect(at(document, 'security')).toEqual([{ bearer: [] }, { api_key: [] }]);
    expect(at(document, 'components', 'securitySchemes', 'bearer', 'scheme')).toBe('bearer');
    for (const { name, operation } of operations) {
      const codes = entriesAt(operation, 'responses', '401', 'content', 'application/json', 'examples').map(
        ([code]) => code,
      );
      const open = at(operation, 'security') !== undefined;
      if (open) expect({ name, security: at(operation, 'security') }).toEqual({ name, security: [{}] });
      expect({ name, unauthorized: codes.includes('unauthorized') }).toEqual({ name, unauthorized: !open });
    }
  });

  it('describes every parameter and every property', () => {
    const undescribed: string[] = [];
    const look = (where: string, value: unknown): void => {
      if (at(value, 'description') === undefined) undescribed.push(where);
    };
    for (const { name, operation } of operations) {
      for (const parameter of at(operation, 'parameters') === undefined
        ? []
        : listAt(operation, 'parameters')) {
        look(`${name} ${String(at(parameter, 'name'))}`, parameter);
        expect(at(parameter, 'schema', 'type')).toEqual(expect.stringMatching(/^(string|integer)$/));
      }
      const page = at(operation, 'responses', '200', 'content', 'application/json', 'schema');
      for (const [property, schema] of entriesAt(page, 'properties')) look(`${name} ${property}`, schema);
    }
    const schemas = entriesAt(document, 'components', 'schemas');
    expect(schemas.length).toBeGreaterThan(10);
    for (const [name, schema] of schemas) {
      const properties = entriesAt(schema, 'properties');
      expect({ name, properties: properties.length > 0 }).toEqual({ name, properties: true });
      for (const [property, value] of properties) look(`${name}.${property}`, value);
    }
    expect(undescribed).toEqual([]);
  });

  it('documents the constraints that validation enforces', () => {
    const chat = at(document, 'components', 'schemas', 'ChatBody', 'properties');
    expect(at(chat, 'message')).toMatchObject({ type: 'string', minLength: 1, maxLength: 5000 });
    expect(at(chat, 'system_prompt')).toMatchObject({ type: 'string', maxLength: 1000 });
    expect(at(chat, 'temperature')).toMatchObject({ type: 'number', minimum: 0, maximum: 2, default: 0.7 });
    expect(at(chat, 'max_tokens')).toMatchObject({ type: 'integer', minimum: 1 });
    expect(at(document, 'components', 'schemas', 'ChatBody', 'required')).toEqual(['message']);
    const list = operations.find(({ name }) => name === 'get /api/v1/conversations');
    expect(at(list?.operation, 'parameters', 0)).toMatchObject({
      name: 'limit',
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    });
  });
});

describe('the documentation pages', () => {
  it('include Swagger UI with this document and the Authorize button at /docs', async () => {
    const response = await fetch(`${api.url}/docs`);
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(page).toContain('<title>Parley API</title>');
    expect(page).toContain('swagger-ui-bundle.js');
    const init = await (await fetch(`${api.url}/docs/swagger-ui-init.js`)).text();
    // The button appears if the document has a security scheme; the token survives a reload.
    expect(init).toContain('"securitySchemes"');
    expect(init).toContain('"persistAuthorization": true');
    expect(init).toContain('"/api/v1/chat/stream"');
  });

  it('leave fields of forms empty in Swagger UI that have neither a default nor an example', async () => {
    const script = await (await fetch(`${api.url}/docs/swagger-ui-init.js`)).text();
    expect(script).toContain(emptyFormFields.toString());
    const getSampleSchema = (): unknown => 'made up';
    const { fn } = emptyFormFields({ fn: { getSampleSchema } });
    expect(fn.getSampleSchema({ type: 'string', format: 'uuid' }, false)).toBe('');
    expect(fn.getSampleSchema({ type: 'string', default: 'true' }, false)).toBe('made up');
    expect(fn.getSampleSchema({ toJS: () => ({ example: 7 }) }, false)).toBe('made up');
    expect(fn.getSampleSchema({ type: 'string' }, 'application/json')).toBe('made up');
  });

  it('load everything from this server', async () => {
    for (const path of ['/docs', '/redoc']) {
      const page = await (await fetch(`${api.url}${path}`)).text();
      const sources = [...page.matchAll(/(?:src|href|spec-url)="([^"]+)"/g)].map(([, url]) => url ?? '');
      expect(sources.length).toBeGreaterThanOrEqual(2);
      for (const url of sources) {
        const target = new URL(url, `${api.url}${path}`);
        expect({ path, url, origin: target.origin }).toEqual({ path, url, origin: api.url });
        expect({ path, url, status: (await fetch(target)).status }).toEqual({ path, url, status: 200 });
      }
    }
  });

  it('include ReDoc with this document at /redoc', async () => {
    const response = await fetch(`${api.url}/redoc`);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    // Otherwise the script would load its vendor's logo from the vendor's server.
    expect(response.headers.get('content-security-policy')).toContain(";img-src 'self' data:;");
    const page = await response.text();
    expect(page).toContain('<redoc spec-url="/docs-json">');
    const script = await fetch(`${api.url}/redoc/redoc.standalone.js`);
    expect(script.headers.get('content-type')).toContain('javascript');
    const text = await script.text();
    expect(text.length).toBeGreaterThan(100_000);
    expect(text).toContain('Redoc');
  });
});

describe('a real response matches the documentation:', () => {
  let user: TestUser;
  let conversation: string;

  beforeAll(async () => {
    user = await registerUser(api.url);
    const { body } = await user.request('POST', '/api/v1/chat', {
      message: 'Hello',
      system_prompt: 'Be kind.',
    });
    conversation = `/api/v1/conversations/${String(at(body, 'conversation_id'))}`;
  });

  /** Checks a response against the documented schema of its status, and returns its body. */
  async function expectDocumented(
    [method, documented]: readonly [string, string],
    status: number,
    path = documented,
    body?: unknown,
  ): Promise<unknown> {
    const answer = await user.request(method, path, body);
    expect({ status: answer.status, body: answer.body }).toEqual({ status, body: answer.body });
    const schema = at(
      document,
      'paths',
      documented,
      method.toLowerCase(),
      'responses',
      String(status),
      'content',
      'application/json',
      'schema',
    );
    expect(misfits(document, schema, answer.body)).toEqual([]);
    return answer.body;
  }

  it('an answer', async () => {
    await expectDocumented(['POST', '/api/v1/chat'], 200, undefined, { message: 'Hello' });
  });

  it('an answer without a known price', async () => {
    const body = await expectDocumented(['POST', '/api/v1/chat'], 200, undefined, {
      message: 'Hello',
      model: 'openai/test-model',
    });
    expect(at(body, 'cost_estimate')).toBeNull();
  });

  it('an answer with an unreadable part', async () => {
    provider.script({ kind: 'malformedChunk', at: 1, text: ['one', 'two'] });
    const body = await expectDocumented(['POST', '/api/v1/chat'], 200, undefined, { message: 'Hello' });
    expect(at(body, 'warning')).toEqual(expect.any(String));
  });

  it('conversations', async () => {
    const body = await expectDocumented(['GET', '/api/v1/conversations'], 200);
    expect(listAt(body, 'data').length).toBeGreaterThan(0);
  });

  it('an empty page', async () => {
    const body = await expectDocumented(
      ['GET', '/api/v1/conversations'],
      200,
      '/api/v1/conversations?after=00000000-0000-7000-8000-000000000000',
    );
    expect(at(body, 'first_id')).toBeNull();
  });

  it('one conversation', async () => {
    const body = await expectDocumented(['GET', '/api/v1/conversations/{id}'], 200, conversation);
    expect(at(body, 'system_prompt')).toBe('Be kind.');
  });

  it('messages, complete and failed', async () => {
    const id = conversation.split('/').at(-1);
    provider.script({ kind: 'error', status: 400, message: 'No.' });
    await expectDocumented(['POST', '/api/v1/chat'], 400, undefined, {
      message: 'Fail',
      conversation_id: id,
    });
    const body = await expectDocumented(
      ['GET', '/api/v1/conversations/{id}/messages'],
      200,
      `${conversation}/messages`,
    );
    expect(listAt(body, 'data').map((message) => at(message, 'status'))).toEqual([
      'complete',
      'complete',
      'complete',
      'failed',
    ]);
    expect(at(body, 'data', 3, 'error', 'code')).toBe('provider_rejected');
  });

  it('the account', async () => {
    await expectDocumented(['GET', '/api/v1/users/me'], 200);
  });

  it('a token', async () => {
    await expectDocumented(['POST', '/api/v1/auth/login'], 200, undefined, {
      email: user.email,
      password: 'a long password',
    });
  });

  it('a new account', async () => {
    await expectDocumented(['POST', '/api/v1/auth/register'], 201, undefined, {
      email: `new-${user.email}`,
      password: 'a long password',
    });
  });

  it.each(['/', '/health', '/health/live', '/health/ready'])('%s', async (path) => {
    await expectDocumented(['GET', path], 200);
  });

  it.each<[number, string, string, string | undefined, unknown]>([
    [400, 'POST', '/api/v1/chat', undefined, { message: 'x', temperature: 3 }],
    [404, 'POST', '/api/v1/chat/stream', undefined, { message: 'x', model: 'nope' }],
    [
      404,
      'GET',
      '/api/v1/conversations/{id}',
      '/api/v1/conversations/0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11',
      undefined,
    ],
    [
      401,
      'POST',
      '/api/v1/auth/login',
      undefined,
      { email: 'nobody@example.com', password: 'a long password' },
    ],
  ])('error %s of %s %s', async (status, method, documented, path, body) => {
    await expectDocumented([method, documented], status, path, body);
  });
});

describe('the response check', () => {
  const schema = { $ref: '#/components/schemas/Cat' };
  const cats = {
    components: {
      schemas: {
        Cat: {
          type: 'object',
          required: ['name', 'lives'],
          properties: {
            name: { type: 'string', nullable: true },
            lives: { type: 'integer' },
            mood: { type: 'string', enum: ['fine'] },
            kittens: { type: 'array', items: schema },
            mother: { nullable: true, allOf: [schema] },
            born: { type: 'string', format: 'date-time' },
            birthday: { type: 'string', format: 'date' },
          },
        },
      },
    },
  };

  it.each<[unknown, string[]]>([
    [{ name: 'Tom', lives: 9, mood: 'fine', kittens: [{ name: null, lives: 9 }], mother: null }, []],
    [{ name: 'Tom' }, ['$.lives is missing']],
    [{ name: 'Tom', lives: null }, ['$.lives is null and not integer']],
    [{ name: 'Tom', lives: 8.5 }, ['$.lives is 8.5 and not integer']],
    [{ name: 5, lives: 9 }, ['$.name is 5 and not string']],
    [{ name: 'Tom', lives: 9, mood: 'sad' }, ['$.mood is "sad", none of fine']],
    [{ name: 'Tom', lives: 9, tail: 1 }, ['$.tail is not documented']],
    [{ name: 'Tom', lives: 9, kittens: {} }, ['$.kittens is {} and not array']],
    [{ name: 'Tom', lives: 9, kittens: [{ name: 'Kit' }] }, ['$.kittens[0].lives is missing']],
    [{ name: 'Tom', lives: 9, mother: { name: 'Mia' } }, ['$.mother.lives is missing']],
    [{ name: 'Tom', lives: 9, born: 'once' }, ['$.born is no date-time']],
    [{ name: 'Tom', lives: 9, birthday: '2026-1-1' }, ['$.birthday is no date']],
    [[], ['$ is [] and not object']],
  ])('finds in %j the problems %j', (value, expected) => {
    expect(misfits(cats, schema, value)).toEqual(expected);
  });

  it('accepts undocumented properties only if the schema allows them', () => {
    const open = { type: 'object', additionalProperties: true, required: ['name'], properties: {} };
    expect(misfits({}, open, { name: 'Tom', tail: 1 })).toEqual([]);
    expect(misfits({}, open, { tail: 1 })).toEqual(['$.name is missing']);
    expect(misfits({}, { ...open, additionalProperties: false }, { name: 'Tom' })).toEqual([
      '$.name is not documented',
    ]);
  });

  it('rejects schemas that it does not understand', () => {
    expect(() => misfits({}, { oneOf: [] }, 1)).toThrow('uses oneOf');
    expect(() => misfits({}, undefined, 1)).toThrow('no schema');
    expect(() => misfits({}, { $ref: '#/nowhere' }, 1)).toThrow('leads nowhere');
  });
});

describe('the examples of requests in the OpenAPI document', () => {
  /** Fields of bodies that Swagger UI would all fill in. */
  const MANY = 4;

  /** Returns the requests that a body has as examples. */
  function examplesOf(operation: unknown): object[] {
    const body = at(operation, 'requestBody', 'content', 'application/json');
    const whole = at(body, 'schema', 'example');
    const named = entriesAt(body, 'examples').map(([, example]) => at(example, 'value'));
    return [...named, ...(whole === undefined ? [] : [whole])].map((value) => Object(value) as object);
  }

  it('are there for all bodies with many fields, so that Swagger UI does not fill in all of them', () => {
    const without = operations.filter(({ operation }) => {
      const schema = at(operation, 'requestBody', 'content', 'application/json', 'schema');
      const name = String(at(schema, '$ref')).split('/').at(-1) ?? '';
      const fields = entriesAt(at(document, 'components', 'schemas', name) ?? schema, 'properties').length;
      return fields > MANY && examplesOf(operation).length === 0;
    });
    expect(without.map(({ name }) => name)).toEqual([
      // Their fields go together.
      'post /api/v1/rag/collections',
      'patch /api/v1/rag/collections/{collection}',
    ]);
  });

  it('can be sent as they are', async () => {
    const reader = await registerUser(api.url);
    const documents = '/api/v1/rag/collections/default/documents';
    const text = { text: 'The notice period is three months.', metadata: { lang: 'en' } };
    const added = await reader.request('POST', documents, text);
    expect(added.status).toBe(202);
    let sent = 0;
    for (const { path, method, name, operation } of operations) {
      // Ids in paths and of files, and models of providers, are the reader's own.
      const ready = examplesOf(operation).filter(
        (body) =>
          !('file_id' in body) &&
          !('input_file_id' in body) &&
          !/^(openai\/|llama)/.test(String(at(body, 'model'))),
      );
      const url = path.replace('{collection}', 'default');
      if (url.includes('{')) continue;
      for (const body of ready) {
        const { status, body: answer } = await reader.request(method.toUpperCase(), url, body);
        const refusal = [200, 201, 202].includes(status) ? undefined : answer;
        expect({ name, body, refusal }).toEqual({ name, body, refusal: undefined });
        sent += 1;
      }
    }
    expect(sent).toBeGreaterThanOrEqual(14);
  });
});
