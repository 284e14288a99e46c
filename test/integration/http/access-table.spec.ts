// Real components: the API on a socket and PostgreSQL. Every route is requested with every credential that
// must be refused. The table has a row for each route, and a route without one fails the test.
import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ERROR_TYPES } from '../../../src/gateway/anthropic/errors.js';
import { ERROR_TABLE } from '../../../src/http/errors/error-table.js';
import { idOf, makeKey } from '../../support/accounts.js';
import { createOpenAiBatch } from '../../support/batches.js';
import { type ApiResponse, at, listAt, registerUser, send } from '../../support/client.js';
import { uploadedId } from '../../support/files.js';
import { submitBatch } from '../../support/parley-batches.js';
import { setUpAdmin, setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';
import { query } from '../../support/stored.js';
import { makeWebhook } from '../../support/webhooks.js';

type Scope = 'chat' | 'files' | 'rag' | 'batch' | 'admin';
type ApiFormat = 'own' | 'anthropic' | 'ollama';
type Refusal = 'unauthorized' | 'invalid_api_key' | 'insufficient_scope' | 'forbidden' | 'not_found';
type Thing =
  | 'conversation'
  | 'answer'
  | 'file'
  | 'batch'
  | 'openAiBatch'
  | 'collection'
  | 'apiKey'
  | 'user'
  | 'provider'
  | 'webhook';

/** Access rules of a route, and how to request it. */
interface Access {
  readonly needs: Scope;
  /** Fields of the body that need a further scope. */
  readonly fields?: Readonly<Record<string, Scope>>;
  /** Set if the route is for admin accounts only. */
  readonly adminOnly?: true;
  /** The resource whose id is in the path. */
  readonly thing?: Thing;
  readonly apiFormat?: ApiFormat;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The field of an answer that is based on documents. */
const fields = { collection: 'rag' } as const;

/** Every route that requires credentials. New routes must be added here with the scope they require. */
const CLOSED: Readonly<Record<string, Access>> = {
  'post /api/v1/chat': { needs: 'chat', fields },
  'post /api/v1/chat/stream': { needs: 'chat', fields },
  'get /api/v1/chat/stream/{message_id}': { needs: 'chat', thing: 'answer' },
  'post /api/v1/chat/{message_id}/stop': { needs: 'chat', thing: 'answer' },
  'post /api/v1/chat/{message_id}/tool-results': { needs: 'chat' },
  'get /api/v1/conversations': { needs: 'chat' },
  'get /api/v1/conversations/{id}': { needs: 'chat', thing: 'conversation' },
  'patch /api/v1/conversations/{id}': { needs: 'chat', thing: 'conversation' },
  'delete /api/v1/conversations/{id}': { needs: 'chat', thing: 'conversation' },
  'get /api/v1/conversations/{id}/messages': { needs: 'chat', thing: 'conversation' },
  'post /api/v1/analyze/pdf': { needs: 'chat' },
  'post /api/v1/files': { needs: 'files' },
  'get /api/v1/files': { needs: 'files' },
  'get /api/v1/files/{id}': { needs: 'files', thing: 'file' },
  'get /api/v1/files/{id}/content': { needs: 'files', thing: 'file' },
  'get /api/v1/files/{id}/text': { needs: 'files', thing: 'file' },
  'delete /api/v1/files/{id}': { needs: 'files', thing: 'file' },
  'post /api/v1/rag/collections': { needs: 'rag' },
  'get /api/v1/rag/collections': { needs: 'rag' },
  'get /api/v1/rag/collections/{collection}': { needs: 'rag', thing: 'collection' },
  'patch /api/v1/rag/collections/{collection}': { needs: 'rag', thing: 'collection' },
  'delete /api/v1/rag/collections/{collection}': { needs: 'rag', thing: 'collection' },
  'post /api/v1/rag/collections/{collection}/reindex': { needs: 'rag', thing: 'collection' },
  'get /api/v1/rag/collections/{collection}/shares': { needs: 'rag', thing: 'collection' },
  'put /api/v1/rag/collections/{collection}/shares/{user_id}': { needs: 'rag', thing: 'collection' },
  'delete /api/v1/rag/collections/{collection}/shares/{user_id}': { needs: 'rag', thing: 'collection' },
  'post /api/v1/rag/collections/{collection}/documents': { needs: 'rag', thing: 'collection' },
  'get /api/v1/rag/collections/{collection}/documents': { needs: 'rag', thing: 'collection' },
  'get /api/v1/rag/collections/{collection}/documents/{id}': { needs: 'rag', thing: 'collection' },
  'put /api/v1/rag/collections/{collection}/documents/{id}': { needs: 'rag', thing: 'collection' },
  'delete /api/v1/rag/collections/{collection}/documents/{id}': { needs: 'rag', thing: 'collection' },
  'post /api/v1/rag/collections/{collection}/documents/{id}/cancel': { needs: 'rag', thing: 'collection' },
  'post /api/v1/rag/collections/{collection}/documents/{id}/retry': { needs: 'rag', thing: 'collection' },
  'get /api/v1/rag/collections/{collection}/documents/{id}/events': { needs: 'rag', thing: 'collection' },
  'post /api/v1/rag/search': { needs: 'rag' },
  'post /api/v1/rag/query': { needs: 'rag' },
  'post /api/v1/batch': { needs: 'batch' },
  'get /api/v1/batch': { needs: 'batch' },
  'get /api/v1/batch/{job_id}': { needs: 'batch', thing: 'batch' },
  'delete /api/v1/batch/{job_id}': { needs: 'batch', thing: 'batch' },
  'get /api/v1/batch/{job_id}/results': { needs: 'batch', thing: 'batch' },
  'get /api/v1/batch/{job_id}/events': { needs: 'batch', thing: 'batch' },
  'post /api/v1/batch/{job_id}/cancel': { needs: 'batch', thing: 'batch' },
  'post /api/v1/batch/{job_id}/retry': { needs: 'batch', thing: 'batch' },
  'post /api/v1/conversations/{id}/messages/{message_id}/activate': { needs: 'chat', thing: 'conversation' },
  'post /api/v1/conversations/{id}/messages/{message_id}/edit': { needs: 'chat', fields },
  'post /api/v1/conversations/{id}/messages/{message_id}/regenerate': {
    needs: 'chat',
    fields,
    thing: 'conversation',
  },
  'get /api/v1/conversations/{id}/messages/{message_id}/siblings': { needs: 'chat', thing: 'conversation' },
  'post /api/v1/conversations/import': { needs: 'chat' },
  'get /api/v1/conversations/{id}/export': { needs: 'chat', thing: 'conversation' },
  'post /api/v1/conversations/{id}/share': { needs: 'chat', thing: 'conversation' },
  'get /api/v1/conversations/{id}/shares': { needs: 'chat', thing: 'conversation' },
  'delete /api/v1/conversations/{id}/shares/{share_id}': { needs: 'chat', thing: 'conversation' },
  'get /api/v1/usage': { needs: 'chat' },
  'post /api/v1/webhooks': { needs: 'batch' },
  'get /api/v1/webhooks': { needs: 'batch' },
  'get /api/v1/webhooks/{id}': { needs: 'batch', thing: 'webhook' },
  'delete /api/v1/webhooks/{id}': { needs: 'batch', thing: 'webhook' },
  'post /api/v1/webhooks/{id}/rotate': { needs: 'batch', thing: 'webhook' },
  'get /api/v1/webhooks/{id}/deliveries': { needs: 'batch', thing: 'webhook' },
  'post /v1/chat/completions': { needs: 'chat', fields },
  'post /v1/completions': { needs: 'chat' },
  'post /v1/embeddings': { needs: 'chat' },
  'post /v1/batches': { needs: 'batch' },
  'get /v1/batches': { needs: 'batch' },
  'get /v1/batches/{id}': { needs: 'batch', thing: 'openAiBatch' },
  'post /v1/batches/{id}/cancel': { needs: 'batch', thing: 'openAiBatch' },
  'post /v1/files': { needs: 'files' },
  'get /v1/files': { needs: 'files' },
  'get /v1/files/{id}': { needs: 'files', thing: 'file' },
  'get /v1/files/{id}/content': { needs: 'files', thing: 'file' },
  'delete /v1/files/{id}': { needs: 'files', thing: 'file' },
  'get /v1/models': { needs: 'chat' },
  'get /v1/models/{model}': { needs: 'chat' },
  'post /v1/messages': { needs: 'chat', apiFormat: 'anthropic' },
  'post /v1/messages/count_tokens': { needs: 'chat', apiFormat: 'anthropic' },
  'post /ollama/api/chat': { needs: 'chat', apiFormat: 'ollama' },
  'post /ollama/api/generate': { needs: 'chat', apiFormat: 'ollama' },
  'get /ollama/api/tags': { needs: 'chat', apiFormat: 'ollama' },
  'get /api/v1/users/me': { needs: 'admin' },
  'patch /api/v1/users/me': { needs: 'admin' },
  'delete /api/v1/users/me': { needs: 'admin' },
  'post /api/v1/users/me/password': { needs: 'admin' },
  'get /api/v1/users': { needs: 'admin', adminOnly: true },
  'get /api/v1/users/{id}': { needs: 'admin', adminOnly: true, thing: 'user' },
  'patch /api/v1/users/{id}': { needs: 'admin', adminOnly: true, thing: 'user' },
  'delete /api/v1/users/{id}': { needs: 'admin', adminOnly: true, thing: 'user' },
  'post /api/v1/api-keys': { needs: 'admin' },
  'get /api/v1/api-keys': { needs: 'admin' },
  'delete /api/v1/api-keys/{id}': { needs: 'admin', thing: 'apiKey' },
  'get /api/v1/provider-keys': { needs: 'admin' },
  'get /api/v1/provider-keys/{provider}': { needs: 'admin', thing: 'provider' },
  'put /api/v1/provider-keys/{provider}': { needs: 'admin' },
  'delete /api/v1/provider-keys/{provider}': { needs: 'admin', thing: 'provider' },
  'get /api/v1/audit-log': { needs: 'admin', adminOnly: true },
  'post /api/v1/admin/queues/session': { needs: 'admin', adminOnly: true },
};

/** Every public route, with the status of an empty request. */
const OPEN: Readonly<Record<string, number>> = {
  'get /': 200,
  'get /health': 200,
  'get /health/live': 200,
  'get /health/ready': 200,
  'get /api/v1/shared/{token}': 404,
  'get /api/v1/shared/{token}/messages': 404,
  'post /api/v1/auth/register': 400,
  'post /api/v1/auth/login': 400,
  'post /api/v1/auth/refresh': 400,
  'post /api/v1/auth/logout': 400,
};

/** Routes that the document describes only once, in their default API format. */
const VERSIONED: readonly [name: string, access: Access][] = (
  ['/v1/models', '/v1/models/{model}'] as const
).map((path) => [
  `get ${path}`,
  { needs: 'chat', apiFormat: 'anthropic', headers: { 'anthropic-version': '2023-06-01' } },
]);

const ROUTES: readonly [name: string, access: Access][] = [...Object.entries(CLOSED), ...VERSIONED];
const SCOPES = ['chat', 'files', 'rag', 'batch', 'admin'] as const;
const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const OTHER_SECRET = 'uRi7oKq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9';
/** A time in the past. */
const EXPIRED = { iat: 1_700_000_000, exp: 1_700_000_900 };
const NOBODY = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';

/** The ids of the owner's resources. */
let things: Readonly<Record<Thing, string>>;
/** Credentials that must be refused, with the expected error codes. */
let refused: Readonly<Record<string, { readonly credential: string | undefined; readonly code: Refusal }>>;
/** API keys of the owner with every scope except the named one. */
let without: Readonly<Record<Scope, string>>;

const provider = setUpProvider();
const api = setUpApi(() => ({
  JWT_SECRET: SECRET,
  OPENAI_BASE_URL: provider.baseUrl,
  OLLAMA_BASE_URL: provider.origin,
  DEFAULT_MODEL: 'openai/test-model',
}));
const admin = setUpAdmin(api);
const owner = setUpUser(api);
const stranger = setUpUser(api);

beforeAll(async () => {
  const turn = await owner.request('POST', '/api/v1/chat', { message: 'Hi' });
  const collection = await owner.request('POST', '/api/v1/rag/collections', { name: 'handbook' });
  await owner.request('PUT', '/api/v1/provider-keys/openai', { key: 'sk-own-0123456789abcdef' });
  things = {
    conversation: String(at(turn.body, 'conversation_id')),
    answer: String(at(turn.body, 'message_id')),
    file: await uploadedId(api.url, owner),
    batch: await submitBatch(owner, { texts: ['Hello'] }),
    openAiBatch: await createOpenAiBatch(api.url, owner),
    collection: String(at(collection.body, 'id')),
    apiKey: (await makeKey(api, owner)).id,
    user: await idOf(owner),
    provider: 'openai',
    webhook: (await makeWebhook(owner, 'http://127.0.0.1:9/hook')).id,
  };
  const scoped = (but: Scope) => makeKey(api, owner, { scopes: SCOPES.filter((scope) => scope !== but) });
  without = {
    chat: (await scoped('chat')).key,
    files: (await scoped('files')).key,
    rag: (await scoped('rag')).key,
    batch: (await scoped('batch')).key,
    admin: (await scoped('admin')).key,
  };
  refused = await badCredentials();
});

async function badCredentials(): Promise<typeof refused> {
  const revoked = await makeKey(api, owner, { scopes: SCOPES });
  // Used once before, so that a cached authentication would be noticed.
  await revoked.program.request('GET', '/v1/models');
  await owner.request('DELETE', `/api/v1/api-keys/${revoked.id}`);
  const expired = await makeKey(api, owner, { scopes: SCOPES });
  await query(api.database, 'UPDATE api_keys SET expires_at = now() WHERE id = $1', [expired.id]);
  const disabled = await registerUser(api.url);
  const { key: keyOfDisabled } = await makeKey(api, disabled, { scopes: SCOPES });
  await admin.request('PATCH', `/api/v1/users/${await idOf(disabled)}`, { disabled: true });
  return {
    'no credentials': { credential: undefined, code: 'unauthorized' },
    'a wrong token': { credential: 'not.a.token', code: 'unauthorized' },
    'a token signed with another secret': {
      credential: resigned(owner.token, OTHER_SECRET),
      code: 'unauthorized',
    },
    'an unsigned token': { credential: unsigned(owner.token), code: 'unauthorized' },
    'a malformed key': { credential: `${expired.key}x`, code: 'invalid_api_key' },
    'an expired token': { credential: resigned(owner.token, SECRET, EXPIRED), code: 'unauthorized' },
    'an expired key': { credential: expired.key, code: 'invalid_api_key' },
    'a revoked key': { credential: revoked.key, code: 'invalid_api_key' },
    'a token of a disabled account': { credential: disabled.token, code: 'unauthorized' },
    'a key of a disabled account': { credential: keyOfDisabled, code: 'unauthorized' },
  };
}

/**
 * Signs the token as the server does, with the given secret and changed claims, so that nothing else is
 * invalid.
 */
function resigned(token: string, secret: string, changes: object = {}): string {
  const [head = '', payload = ''] = token.split('.');
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const body = encoded({ ...(Object(claims) as object), ...changes });
  return `${head}.${body}.${createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url')}`;
}

/** Replaces the token's signature by the `none` algorithm. */
function unsigned(token: string): string {
  const [, payload = ''] = token.split('.');
  return `${encoded({ alg: 'none', typ: 'JWT' })}.${payload}.`;
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/** Requests a route by its name, with an id for each path parameter. */
function ask(name: string, access: Pick<Access, 'headers'>, credential?: string, id = NOBODY) {
  const bearer = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  return askWith({ ...access.headers, ...bearer }, name, id);
}

/** Requests a route with an API key in X-API-Key. */
function askWithKey(name: string, access: Pick<Access, 'headers'>, key: string) {
  return askWith({ ...access.headers, 'x-api-key': key }, name, NOBODY);
}

function askWith(headers: Readonly<Record<string, string>>, name: string, id: string, body: object = {}) {
  const [method = '', path = ''] = name.split(' ');
  return send(api.url + path.replaceAll(/\{\w+\}/g, id), {
    method: method.toUpperCase(),
    headers,
    ...(['post', 'put', 'patch'].includes(method) && { body }),
  });
}

/** Checks that the response is the refusal, in the API format of the route. */
function expectRefusal(
  what: object,
  { status, body }: ApiResponse,
  code: Refusal,
  apiFormat: ApiFormat = 'own',
): void {
  const message: unknown = expect.stringMatching(/\w/);
  const request_id: unknown = expect.stringMatching(/^[\w-]+$/);
  const shapes: Readonly<Record<ApiFormat, unknown>> = {
    own: { error: { code, message, type: ERROR_TABLE[code].type, param: null }, request_id },
    anthropic: { type: 'error', error: { type: ERROR_TYPES[code], message }, request_id },
    ollama: { error: message },
  };
  expect({ ...what, status, body }).toEqual({
    ...what,
    status: ERROR_TABLE[code].status,
    body: shapes[apiFormat],
  });
}

describe('the access table', () => {
  it('lists every route of the OpenAPI document, and no others', async () => {
    const { body } = await send(`${api.url}/docs-json`);
    const routes = Object.entries(Object(at(body, 'paths')) as object).flatMap(([path, item]) =>
      Object.entries(Object(item) as object).map(([method, operation]) => ({
        name: `${method} ${path}`,
        open: at(operation, 'security') !== undefined,
      })),
    );
    const named = (open: boolean) => routes.filter((route) => route.open === open).map(({ name }) => name);
    expect(named(false).sort()).toEqual(Object.keys(CLOSED).sort());
    expect(named(true).sort()).toEqual(Object.keys(OPEN).sort());
  });

  it('lists every route that needs the scope rag for the collections in its body only', async () => {
    const { body: document } = await send(`${api.url}/docs-json`);
    const names = Object.entries(CLOSED).flatMap(([name, { needs }]) => {
      const [method = '', path = ''] = name.split(' ');
      const content = at(document, 'paths', path, method, 'requestBody', 'content', 'application/json');
      const reference = at(content, 'schema', '$ref');
      const schema =
        typeof reference === 'string'
          ? at(document, 'components', 'schemas', reference.replace(/^.*\//, ''))
          : at(content, 'schema');
      return needs !== 'rag' && at(schema, 'properties', 'collection') !== undefined ? [name] : [];
    });
    const listed = Object.entries(CLOSED).filter(([, access]) => access.fields !== undefined);
    expect(names.sort()).toEqual(listed.map(([name]) => name).sort());
  });
});

describe.each(Object.entries(OPEN))('%s', (name, status) => {
  it('is public, with or without a credential', async () => {
    for (const credential of [undefined, 'not.a.token']) {
      const answer = await ask(name, {}, credential);
      expect({ credential, status: answer.status }).toEqual({ credential, status });
    }
  });
});

describe.each(ROUTES)('%s %j', (name, access) => {
  const { needs, fields, adminOnly, thing, apiFormat } = access;

  it('refuses missing and invalid credentials', async () => {
    for (const [what, { credential, code }] of Object.entries(refused))
      expectRefusal({ what }, await ask(name, access, credential), code, apiFormat);
  });

  it('refuses invalid credentials in X-API-Key', async () => {
    for (const [what, { credential, code }] of Object.entries(refused)) {
      if (credential !== undefined)
        expectRefusal({ what }, await askWithKey(name, access, credential), code, apiFormat);
    }
  });

  it('refuses an API key that has every scope except the required one', async () => {
    const key = without[needs];
    for (const answer of [await ask(name, access, key), await askWithKey(name, access, key)])
      expectRefusal({ needs }, answer, 'insufficient_scope', apiFormat);
  });

  if (fields !== undefined) {
    it('refuses an API key that lacks the scope of a field, only if the request has that field', async () => {
      for (const [field, scope] of Object.entries(fields)) {
        const headers = { authorization: `Bearer ${without[scope]}` };
        const refusal = await askWith(headers, name, NOBODY, { [field]: things.collection });
        expectRefusal({ field }, refusal, 'insufficient_scope', apiFormat);
        const { status } = await askWith(headers, name, NOBODY, { [field]: null });
        expect([400, 404]).toContain(status);
      }
    });
  }

  if (adminOnly) {
    it('refuses accounts that are not admins, whatever the scopes of their key', async () => {
      const { key } = await makeKey(api, owner, { scopes: SCOPES });
      const id = thing && things[thing];
      for (const credential of [owner.token, key])
        expectRefusal({}, await ask(name, access, credential, id), 'forbidden', apiFormat);
      if (id === undefined) return;
      expectRefusal({}, await ask(name, access, admin.token), 'not_found', apiFormat);
    });
  } else if (thing !== undefined) {
    it('returns the same 404 for a resource of another account as for an unknown one', async () => {
      const id = things[thing];
      // Every account knows the configured providers; the missing resource is a key for one.
      const unknown = thing === 'provider' ? 'openai' : NOBODY;
      const nobodys = await registerUser(api.url);
      const foreign = await ask(name, access, stranger.token, id);
      const missing = await ask(name, access, nobodys.token, unknown);
      expectRefusal({ id }, foreign, 'not_found', apiFormat);
      const describeAnswer = ({ status, body }: ApiResponse, named: string) => ({
        status,
        error: JSON.stringify(at(body, 'error')).replaceAll(named, 'ID'),
      });
      expect(describeAnswer(foreign, id)).toEqual(describeAnswer(missing, unknown));
    });
  }
});

it('the refused requests above have changed nothing', async () => {
  expect((await owner.request('GET', `/api/v1/conversations/${things.conversation}`)).status).toBe(200);
  expect((await owner.request('GET', '/api/v1/provider-keys/openai')).status).toBe(200);
  const keys = listAt((await owner.request('GET', '/api/v1/api-keys?limit=100')).body, 'data');
  expect(keys.map((key) => at(key, 'id'))).toContain(things.apiKey);
  for (const path of ['/api/v1/chat', '/api/v1/chat/stream']) {
    const message = { message: 'Hi', conversation_id: things.conversation };
    expectRefusal({ path }, await stranger.request('POST', path, message), 'not_found');
  }
});
