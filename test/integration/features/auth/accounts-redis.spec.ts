// Real components: two API applications on sockets, PostgreSQL and Redis.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
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

  beforeAll(async () => {
    processes = await startTwoProcesses();
    ({ provider, here, there } = processes);
    admin = await registerAdmin(here);
  });

  afterAll(async () => {
    await processes.close();
  });

  it('lock a disabled user out of both within a second and stop the user’s running requests', async () => {
    const user = await registerUser(here.url);
    const elsewhere = userWith(there.url, user.token);
    provider.script(gatedAnswer(['one ', 'two']));
    const asked = provider.nextRequest('chat');
    const stopped = collect(elsewhere.stream('/api/v1/chat/stream', { message: 'Hi' }));
    const upstream = await asked;
    const userId = await idOf(user);
    const began = performance.now();
    await admin.request('PATCH', `/api/v1/users/${userId}`, { disabled: true });
    await upstream.closed;
    expect(at((await stopped).at(-1), 'error', 'code')).toBe('unauthorized');
    await until('the refusal', async () => (await elsewhere.request('GET', '/v1/models')).status === 401);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('refuse a revoked key on both within a second', async () => {
    const user = await registerUser(here.url);
    const { id, key } = await makeKey(here, user);
    const program = userWith(there.url, key);
    expect((await program.request('GET', '/v1/models')).status).toBe(200);
    const began = performance.now();
    await user.request('DELETE', `/api/v1/api-keys/${id}`);
    await until('the refusal', async () => (await program.request('GET', '/v1/models')).status === 401);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
