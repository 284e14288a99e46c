// Real components: the API on a socket, PostgreSQL, and the protocol of a provider that waits for the test. A
// table names the scope that a key needs for every route.
import { createHash } from 'node:crypto';
import { describe, expect, it, jest } from '@jest/globals';
import { AccessWatch } from '../../../../src/features/auth/access-watch.js';
import { idOf, makeKey } from '../../../support/accounts.js';
import { startApi } from '../../../support/api.js';
import {
  type ApiResponse,
  at,
  collect,
  listAt,
  registerUser,
  send,
  type TestUser,
  userWith,
} from '../../../support/client.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const KEYS = '/api/v1/api-keys';
const ID = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  OLLAMA_BASE_URL: provider.origin,
  DEFAULT_MODEL: 'openai/test-model',
}));
// The first account is an admin, which would hide routes that only admins may use.
setUpUser(api);
const user = setUpUser(api);

const codeOf = ({ body }: ApiResponse): unknown => at(body, 'error', 'code');
const messageOf = ({ body }: ApiResponse): unknown => at(body, 'error', 'message');

describe('an API key', () => {
  it('is returned once, stored as SHA-256 and listed by its prefix', async () => {
    const made = await user.request('POST', KEYS, { name: 'Report', scopes: ['chat', 'files', 'chat'] });
    expect(made.status).toBe(201);
    const key = String(at(made.body, 'key'));
    expect(made.body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'Report',
      prefix: key.slice(0, 11),
      scopes: ['chat', 'files'],
      expires_at: null,
      last_used_at: null,
      created_at: expect.any(String),
      key: expect.stringMatching(/^pk_[0-9A-Za-z]{49}$/),
    });
    const list = await user.request('GET', KEYS);
    expect(at(list.body, 'data', 0, 'prefix')).toBe(key.slice(0, 11));
    expect(JSON.stringify(list.body)).not.toContain(key);
    const [row] = await query(
      api.database,
      `SELECT encode(hash, 'hex') AS hash, k::text AS row FROM api_keys k WHERE id = $1`,
      [at(made.body, 'id')],
    );
    expect(row?.['hash']).toBe(createHash('sha256').update(key).digest('hex'));
    expect(String(row?.['row'])).not.toContain(key);
    expect(api.log.join('')).not.toContain(key);
  });

  it('authenticates the product and compatible routes, in either header', async () => {
    const { key } = await makeKey(api, user);
    for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
      for (const path of ['/api/v1/conversations', '/v1/models'])
        expect((await send(`${api.url}${path}`, { headers })).status).toBe(200);
    }
  });

  it('that is mistyped is refused without a database query', async () => {
    const { key } = await makeKey(api, user);
    const wrong = key.slice(0, -1) + (key.endsWith('x') ? 'y' : 'x');
    await query(api.database, 'ALTER TABLE api_keys RENAME TO keys_away');
    try {
      // A query fails now, as the request with the correct key shows.
      expect((await userWith(api.url, key).request('GET', '/v1/models')).status).toBe(500);
      const answer = await userWith(api.url, wrong).request('GET', '/v1/models');
      expect(answer.status).toBe(401);
      expect(codeOf(answer)).toBe('invalid_api_key');
      expect(messageOf(answer)).toBe('The API key is malformed. Check it for typing mistakes.');
    } finally {
      await query(api.database, 'ALTER TABLE keys_away RENAME TO api_keys');
    }
  });

  it('that is revoked, expired or unknown is refused with a message that says so', async () => {
    const revoked = await makeKey(api, user);
    expect((await revoked.program.request('GET', '/v1/models')).status).toBe(200);
    expect((await user.request('DELETE', `${KEYS}/${revoked.id}`)).status).toBe(204);
    // Immediately, although it was accepted a moment ago.
    const answer = await revoked.program.request('GET', '/v1/models');
    expect(codeOf(answer)).toBe('invalid_api_key');
    expect(messageOf(answer)).toBe('The API key was revoked. Create a new one.');
    expect((await user.request('DELETE', `${KEYS}/${revoked.id}`)).status).toBe(404);
    expect(JSON.stringify((await user.request('GET', KEYS)).body)).not.toContain(revoked.id);

    const expired = await makeKey(api, user, { expires_at: '2999-01-01T00:00:00Z' });
    await query(api.database, 'UPDATE api_keys SET expires_at = now() WHERE id = $1', [expired.id]);
    expect(messageOf(await expired.program.request('GET', '/v1/models'))).toBe(
      'The API key has expired. Create a new one.',
    );

    const gone = await makeKey(api, user);
    await query(api.database, 'DELETE FROM api_keys WHERE id = $1', [gone.id]);
    expect(messageOf(await gone.program.request('GET', '/v1/models'))).toBe('The API key does not exist.');
  });

  it('that is revoked stops its running requests, and no others of its account', async () => {
    const { id, program } = await makeKey(api, user);
    const gates = [gatedAnswer(['a', 'b']), gatedAnswer(['a', 'b'])] as const;
    provider.script(...gates);
    const asked = provider.nextRequest('chat');
    const stopped = collect(program.stream('/api/v1/chat/stream', { message: 'Hi' }));
    const upstream = await asked;
    const askedToo = provider.nextRequest('chat');
    const goesOn = collect(user.stream('/api/v1/chat/stream', { message: 'Hi' }));
    await askedToo;
    // By notification: the periodic check finds nothing.
    const check = jest.spyOn(AccessWatch.prototype, 'checkAccess').mockResolvedValue();
    await user.request('DELETE', `${KEYS}/${id}`);
    await upstream.closed;
    check.mockRestore();
    expect(at((await stopped).at(-1), 'error', 'code')).toBe('unauthorized');
    gates[1].finish();
    expect((await goesOn).at(-1)).toBe('[DONE]');
  });

  it('records its last use at most once a minute', async () => {
    const { id, program } = await makeKey(api, user);
    const lastUsed = async (): Promise<unknown> =>
      (await query(api.database, 'SELECT last_used_at::text AS at FROM api_keys WHERE id = $1', [id]))[0]?.[
        'at'
      ];
    expect(await lastUsed()).toBeNull();
    await program.request('GET', '/v1/models');
    const first = await until('the last use', async () => (await lastUsed()) ?? undefined);
    // Used again on another process, which has no cached authentication.
    const other = await startApi({}, api.database);
    try {
      await userWith(other.url, program.token).request('GET', '/v1/models');
    } finally {
      await other.close();
    }
    expect(await lastUsed()).toBe(first);
  });

  it('cannot be listed or revoked by another account', async () => {
    const { id, program } = await makeKey(api, user);
    const other = await registerUser(api.url);
    expect((await other.request('DELETE', `${KEYS}/${id}`)).status).toBe(404);
    expect(JSON.stringify((await other.request('GET', KEYS)).body)).not.toContain(id);
    expect((await program.request('GET', '/v1/models')).status).toBe(200);
  });

  it.each<[string, object, string]>([
    ['an unknown scope', { scopes: ['root'] }, 'scopes'],
    ['no scope', { scopes: [] }, 'scopes'],
    ['a time in the past', { expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    ['an invalid time', { expires_at: 'tomorrow' }, 'expires_at'],
    ['a year only', { expires_at: '2999' }, 'expires_at'],
    ['a time without its offset', { expires_at: '2999-01-01T00:00:00' }, 'expires_at'],
    ['a week only', { expires_at: '2999-W01' }, 'expires_at'],
    ['an ISO week date', { expires_at: '2999-W01-1T00:00:00Z' }, 'expires_at'],
    ['an ordinal date', { expires_at: '2999-001T00:00:00Z' }, 'expires_at'],
    ['a time without separators', { expires_at: '29990101T000000Z' }, 'expires_at'],
    ['a time with a comma', { expires_at: '2999-01-01T00:00:00,5Z' }, 'expires_at'],
    ['a time in the year 10000', { expires_at: '9999-12-31T23:59:59-01:00' }, 'expires_at'],
    ['a blank name', { name: ' ' }, 'name'],
    ['a key chosen by the client', { key: 'pk_mine' }, 'key'],
  ])('is not created with %s', async (_what, body, param) => {
    const answer = await user.request('POST', KEYS, { name: 'test', ...body });
    expect(answer.status).toBe(400);
    expect(at(answer.body, 'error', 'param')).toBe(param);
  });

  it('is recorded with the usage of turns and stateless calls', async () => {
    const other = await registerUser(api.url);
    const { id, program } = await makeKey(api, other);
    await program.request('POST', '/api/v1/chat', { message: 'Hi' });
    await program.request('POST', '/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] });
    await program.request('POST', '/v1/completions', { prompt: 'Hi' });
    await program.request('POST', '/v1/embeddings', { model: 'openai/test-model', input: 'Hi' });
    const message = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 9 };
    await program.request('POST', '/v1/messages', { ...message, model: 'openai/test-model' });
    await program.request('POST', '/ollama/api/chat', { ...message, model: 'test-model', stream: false });
    const userId = await idOf(other);
    const rows = await until('the ledger', async () => {
      const found = await query(api.database, 'SELECT api_key_id FROM usage_records WHERE user_id = $1', [
        userId,
      ]);
      return found.length === 6 && found;
    });
    expect(rows.map((row) => row['api_key_id'])).toEqual(Array(6).fill(id));
  });
});

describe('scopes', () => {
  /** The scope each route requires; the test fails for a new route that is missing here. */
  const NEEDS: Readonly<Record<string, string>> = {
    'post /api/v1/chat': 'chat',
    'post /api/v1/chat/stream': 'chat',
    'get /api/v1/chat/stream/{message_id}': 'chat',
    'post /api/v1/chat/{message_id}/stop': 'chat',
    'post /api/v1/chat/{message_id}/tool-results': 'chat',
    'get /api/v1/conversations': 'chat',
    'get /api/v1/conversations/{id}': 'chat',
    'patch /api/v1/conversations/{id}': 'chat',
    'delete /api/v1/conversations/{id}': 'chat',
    'get /api/v1/conversations/{id}/messages': 'chat',
    'post /api/v1/files': 'files',
    'get /api/v1/files': 'files',
    'get /api/v1/files/{id}': 'files',
    'get /api/v1/files/{id}/content': 'files',
    'get /api/v1/files/{id}/text': 'files',
    'get /v1/files': 'files',
    'get /v1/batches': 'batch',
    'post /v1/batches': 'batch',
    'get /v1/batches/{id}': 'batch',
    'post /v1/batches/{id}/cancel': 'batch',
    'post /v1/files': 'files',
    'get /v1/files/{id}': 'files',
    'get /v1/files/{id}/content': 'files',
    'delete /v1/files/{id}': 'files',
    'post /api/v1/analyze/pdf': 'chat',
    'delete /api/v1/files/{id}': 'files',
    'post /api/v1/conversations/{id}/messages/{message_id}/activate': 'chat',
    'post /api/v1/conversations/{id}/messages/{message_id}/edit': 'chat',
    'post /api/v1/conversations/{id}/messages/{message_id}/regenerate': 'chat',
    'get /api/v1/conversations/{id}/messages/{message_id}/siblings': 'chat',
    'post /api/v1/conversations/import': 'chat',
    'get /api/v1/conversations/{id}/export': 'chat',
    'post /api/v1/conversations/{id}/share': 'chat',
    'get /api/v1/conversations/{id}/shares': 'chat',
    'delete /api/v1/conversations/{id}/shares/{share_id}': 'chat',
    'get /api/v1/usage': 'chat',
    'post /api/v1/webhooks': 'batch',
    'get /api/v1/webhooks': 'batch',
    'get /api/v1/webhooks/{id}': 'batch',
    'delete /api/v1/webhooks/{id}': 'batch',
    'post /api/v1/webhooks/{id}/rotate': 'batch',
    'get /api/v1/webhooks/{id}/deliveries': 'batch',
    'post /api/v1/rag/collections': 'rag',
    'get /api/v1/rag/collections': 'rag',
    'get /api/v1/rag/collections/{collection}': 'rag',
    'patch /api/v1/rag/collections/{collection}': 'rag',
    'delete /api/v1/rag/collections/{collection}': 'rag',
    'post /api/v1/rag/collections/{collection}/reindex': 'rag',
    'get /api/v1/rag/collections/{collection}/shares': 'rag',
    'put /api/v1/rag/collections/{collection}/shares/{user_id}': 'rag',
    'delete /api/v1/rag/collections/{collection}/shares/{user_id}': 'rag',
    'post /api/v1/rag/collections/{collection}/documents': 'rag',
    'get /api/v1/rag/collections/{collection}/documents': 'rag',
    'get /api/v1/rag/collections/{collection}/documents/{id}': 'rag',
    'put /api/v1/rag/collections/{collection}/documents/{id}': 'rag',
    'delete /api/v1/rag/collections/{collection}/documents/{id}': 'rag',
    'post /api/v1/rag/collections/{collection}/documents/{id}/cancel': 'rag',
    'post /api/v1/rag/collections/{collection}/documents/{id}/retry': 'rag',
    'get /api/v1/rag/collections/{collection}/documents/{id}/events': 'rag',
    'post /api/v1/rag/search': 'rag',
    'post /api/v1/rag/query': 'rag',
    'post /api/v1/batch': 'batch',
    'get /api/v1/batch': 'batch',
    'get /api/v1/batch/{job_id}': 'batch',
    'delete /api/v1/batch/{job_id}': 'batch',
    'get /api/v1/batch/{job_id}/results': 'batch',
    'get /api/v1/batch/{job_id}/events': 'batch',
    'post /api/v1/batch/{job_id}/cancel': 'batch',
    'post /api/v1/batch/{job_id}/retry': 'batch',
    'post /ollama/api/chat': 'chat',
    'post /ollama/api/generate': 'chat',
    'get /ollama/api/tags': 'chat',
    'post /v1/messages': 'chat',
    'post /v1/messages/count_tokens': 'chat',
    'post /v1/chat/completions': 'chat',
    'post /v1/completions': 'chat',
    'post /v1/embeddings': 'chat',
    'get /v1/models': 'chat',
    'get /v1/models/{model}': 'chat',
    'get /api/v1/users/me': 'admin',
    'patch /api/v1/users/me': 'admin',
    'delete /api/v1/users/me': 'admin',
    'post /api/v1/users/me/password': 'admin',
    'get /api/v1/users': 'admin',
    'get /api/v1/users/{id}': 'admin',
    'patch /api/v1/users/{id}': 'admin',
    'delete /api/v1/users/{id}': 'admin',
    'post /api/v1/api-keys': 'admin',
    'get /api/v1/api-keys': 'admin',
    'delete /api/v1/api-keys/{id}': 'admin',
    'get /api/v1/provider-keys': 'admin',
    'get /api/v1/provider-keys/{provider}': 'admin',
    'put /api/v1/provider-keys/{provider}': 'admin',
    'delete /api/v1/provider-keys/{provider}': 'admin',
    'get /api/v1/audit-log': 'admin',
    'post /api/v1/admin/queues/session': 'admin',
  };

  /** Recognizes a refusal by its message, which every API format has; some have no codes. */
  const isRefused = ({ body, status }: ApiResponse): boolean =>
    status === 403 && JSON.stringify(body).includes('which the API key lacks');

  interface Route {
    readonly name: string;
    readonly method: string;
    readonly path: string;
  }

  async function closedRoutes(): Promise<Route[]> {
    const { body } = await send(`${api.url}/docs-json`);
    return Object.entries(Object(at(body, 'paths')) as object).flatMap(([path, item]) =>
      Object.entries(Object(item) as object).flatMap(([method, operation]) =>
        at(operation, 'security') === undefined ? [{ name: `${method} ${path}`, method, path }] : [],
      ),
    );
  }

  const ask = ({ method, path }: Route, program: TestUser): Promise<ApiResponse> =>
    program.request(
      method.toUpperCase(),
      path.replaceAll(/\{\w+\}/g, ID),
      ['post', 'put', 'patch'].includes(method) ? {} : undefined,
    );

  it('are specified for every route that requires credentials', async () => {
    expect((await closedRoutes()).map(({ name }) => name).sort()).toEqual(Object.keys(NEEDS).sort());
  });

  it('of a key give access to their routes and no others', async () => {
    const account = await registerUser(api.url);
    for (const scope of ['chat', 'files', 'rag', 'batch', 'admin']) {
      const { program } = await makeKey(api, account, { scopes: [scope] });
      for (const route of await closedRoutes()) {
        // The deletion of the account is tested separately.
        if (route.name === 'delete /api/v1/users/me' && scope === 'admin') continue;
        const answer = await ask(route, program);
        const needed = NEEDS[route.name];
        const refused = isRefused(answer);
        expect({ scope, route: route.name, refused }).toEqual({
          scope,
          route: route.name,
          refused: scope !== needed,
        });
        if (!refused) continue;
        expect(JSON.stringify(answer.body)).toContain(`'${String(needed)}'`);
      }
    }
  });

  it('do not restrict logged-in users', async () => {
    for (const route of await closedRoutes()) {
      if (route.name === 'delete /api/v1/users/me') continue;
      expect(isRefused(await ask(route, user))).toBe(false);
    }
  });

  it('are checked before the request is processed, so that a chat key cannot delete its account', async () => {
    const account = await registerUser(api.url);
    const { program } = await makeKey(api, account);
    expect((await program.request('DELETE', '/api/v1/users/me')).status).toBe(403);
    expect(listAt((await account.request('GET', KEYS)).body, 'data')).toHaveLength(1);
  });
});
