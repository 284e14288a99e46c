// Real components: two API applications on sockets, PostgreSQL and Redis.
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startApi, type TestApi } from '../../../support/api.js';
import { type ApiResponse, at, registerUser, send, type TestUser } from '../../../support/client.js';
import { countByStatus } from '../../../support/limits.js';
import { describeWithRedis, redisKeyPrefix } from '../../../support/redis.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';

// A separate file, because a process uses one kind of queue for its whole life.

const PASSWORD = 'a long password';

describeWithRedis('wrong passwords sent to two processes that share Redis', (redisUrl) => {
  let redis: Redis;
  let proxy: TcpProxy;
  let here: TestApi;
  let there: TestApi;
  let user: TestUser;

  beforeAll(async () => {
    redis = new Redis(redisUrl);
    proxy = await TcpProxy.start(redisUrl);
    const secret = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
    const settings = { WORKER: 'separate', JWT_SECRET: secret, TRUST_PROXY: '1' };
    here = await startApi(settings);
    there = await startApi({ ...settings, REDIS_URL: proxy.url }, here.database);
  });

  beforeEach(async () => {
    // All tests use the same client address.
    const keys = await redis.keys(`${redisKeyPrefix(here.database)}parley:passwords:*`);
    if (keys.length > 0) await redis.del(keys);
    user = await registerUser(here.url);
  });

  afterAll(async () => {
    proxy.restore();
    await there.close();
    await here.close();
    await proxy.close();
    await redis.quit();
  });

  const login = (api: TestApi, password: string): Promise<ApiResponse> =>
    send(`${api.url}/api/v1/auth/login`, { method: 'POST', body: { email: user.email, password } });

  /** Sends wrong passwords concurrently, alternating between the processes; returns the error codes. */
  async function guess(count: number, apis: readonly TestApi[] = [here, there]): Promise<unknown[]> {
    const asked = Array.from({ length: count }, (_one, place) => apis[place % apis.length] ?? here);
    const answers = await Promise.all(asked.map((api) => login(api, 'a wrong password')));
    return answers.map(({ body }) => at(body, 'error', 'code')).toSorted();
  }

  const wrong = (count: number): string[] => Array<string>(count).fill('invalid_credentials');
  const slowed = (count: number): string[] => Array<string>(count).fill('rate_limit_exceeded');

  it('are counted together, and concurrent ones cannot exceed the limit', async () => {
    expect(await guess(16)).toEqual([...wrong(10), ...slowed(6)]);
    // The delay is one second by now; it is extended so that the test does not depend on timing.
    const [pair = ''] = await redis.keys(`${redisKeyPrefix(here.database)}parley:passwords:pair:*`);
    await redis.hset(pair, 'until', Date.now() + 600_000);
    for (const api of [here, there]) {
      const answer = await login(api, PASSWORD);
      expect(answer.status).toBe(429);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(500);
    }
  });

  it('from one IPv6 network are counted together', async () => {
    const guesses = Array.from({ length: 16 }, (_one, place) =>
      send(`${here.url}/api/v1/auth/login`, {
        method: 'POST',
        headers: { 'x-forwarded-for': `2001:db8:1:2::${place.toString(16)}` },
        body: { email: user.email, password: 'a wrong password' },
      }),
    );
    expect(countByStatus(await Promise.all(guesses))).toEqual({ 401: 10, 429: 6 });
  });

  it('are reset on both processes by a correct password', async () => {
    expect(await guess(9)).toEqual(wrong(9));
    expect((await login(there, PASSWORD)).status).toBe(200);
    expect(await guess(10)).toEqual(wrong(10));
  });

  it('for one account do not delay another account', async () => {
    expect(await guess(11)).toEqual([...wrong(10), ...slowed(1)]);
    user = await registerUser(there.url);
    expect((await login(here, PASSWORD)).status).toBe(200);
  });

  it('leave no key in Redis that names an account or has no expiry', async () => {
    await guess(2);
    await login(here, PASSWORD);
    const keys = await redis.keys(`${redisKeyPrefix(here.database)}parley:passwords:*`);
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.join()).not.toContain(user.email);
    for (const key of keys) expect(await redis.pttl(key)).toBeGreaterThan(0);
  });

  it('are counted by each process separately during a Redis outage', async () => {
    proxy.cut();
    expect(await guess(12, [there])).toEqual([...wrong(10), ...slowed(2)]);
    // The other process still has Redis, where nothing was counted.
    expect((await login(here, PASSWORD)).status).toBe(200);
  });
});
