// Real components: two API applications on sockets, PostgreSQL and Redis.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { AccessWatch } from '../../../../src/features/auth/access-watch.js';
import { PrincipalCache } from '../../../../src/features/auth/principal-cache.js';
import type { Principal } from '../../../../src/http/index.js';
import { idOf, makeKey, registerAdmin } from '../../../support/accounts.js';
import type { TestApi } from '../../../support/api.js';
import { at, collect, type TestUser, registerUser, userWith } from '../../../support/client.js';
import type { FakeProvider } from '../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { describeWithRedis } from '../../../support/redis.js';
import { until } from '../../../support/stored.js';
import { startTwoProcesses, type TwoProcesses } from '../../../support/two-processes.js';

describeWithRedis('two processes that share Redis', () => {
  let processes: TwoProcesses;
  let provider: FakeProvider;
  let here: TestApi;
  let there: TestApi;
  let admin: TestUser;
  let forget: jest.SpiedFunction<PrincipalCache<Principal>['forget']>;

  beforeAll(async () => {
    processes = await startTwoProcesses();
    ({ provider, here, there } = processes);
    admin = await registerAdmin(here);
  });

  // Without the notification, the operations would run on and the caches would keep the credential for seconds.
  beforeEach(() => {
    jest.spyOn(AccessWatch.prototype, 'checkAccess').mockResolvedValue();
    forget = jest.spyOn(PrincipalCache.prototype, 'forget');
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  afterAll(async () => {
    await processes.close();
  });

  /** Waits until both processes have dropped what their caches, of requests and of jobs, knew of the account or key. */
  async function untilNotified(): Promise<void> {
    await until('the notification of both processes', () => new Set(forget.mock.contexts).size === 4);
  }

  it('lock a disabled user out of both and stop the user’s running requests', async () => {
    const user = await registerUser(here.url);
    const elsewhere = userWith(there.url, user.token);
    provider.script(gatedAnswer(['one ', 'two']));
    const asked = provider.nextRequest('chat');
    const stopped = collect(elsewhere.stream('/api/v1/chat/stream', { message: 'Hi' }));
    const upstream = await asked;
    const userId = await idOf(user);
    await admin.request('PATCH', `/api/v1/users/${userId}`, { disabled: true });
    await upstream.closed;
    expect(at((await stopped).at(-1), 'error', 'code')).toBe('unauthorized');
    await untilNotified();
    expect((await elsewhere.request('GET', '/v1/models')).status).toBe(401);
  });

  it('refuse a revoked key on both', async () => {
    const user = await registerUser(here.url);
    const { id, key } = await makeKey(here, user);
    const program = userWith(there.url, key);
    expect((await program.request('GET', '/v1/models')).status).toBe(200);
    await user.request('DELETE', `/api/v1/api-keys/${id}`);
    await untilNotified();
    expect((await program.request('GET', '/v1/models')).status).toBe(401);
  });
});
