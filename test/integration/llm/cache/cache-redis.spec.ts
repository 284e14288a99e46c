import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startApi } from '../../../support/api.js';
import { registerUser, send, type TestUser } from '../../../support/client.js';
import { createMigratedDatabase, type TestDatabase } from '../../../support/database.js';
import type { RecordedRequest } from '../../../support/fake-provider/recorded-request.js';
import { describeWithRedis } from '../../../support/redis.js';
import { setUpProvider } from '../../../support/set-up.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';

// A separate file, because a process uses one kind of queue for its whole life.

const provider = setUpProvider();

/** A different question each time, so that runs on the same Redis do not share cached answers. */
let questions = 0;
function question(): string {
  questions += 1;
  return `Question ${questions} of ${process.pid} at ${Date.now()}`;
}

function environment(redis: string): Record<string, string> {
  return {
    OPENAI_BASE_URL: `${provider.origin}/v1`,
    JWT_SECRET: 'one secret for all processes of these tests',
    LLM_MAX_RETRIES: '0',
    WORKER: 'separate',
    REDIS_URL: redis,
  };
}

/** Returns the chat requests that reached the provider. */
function chats(): readonly RecordedRequest[] {
  return provider.requests.filter(({ route }) => route === 'chat');
}

function complete(user: TestUser, content: string) {
  const messages = [{ role: 'user', content }];
  return user.request('POST', '/v1/chat/completions', { messages, cache: true });
}

describeWithRedis('the response cache with Redis', (redisUrl) => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createMigratedDatabase();
  });

  afterAll(async () => {
    await database.drop();
  });

  it('is shared by all processes', async () => {
    const one = await startApi(environment(redisUrl), database);
    const two = await startApi(environment(redisUrl), database);
    try {
      const user = await registerUser(one.url);
      const asked = question();
      await complete(user, asked);
      const { headers } = await send(`${two.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${user.token}` },
        body: { messages: [{ role: 'user', content: asked }], cache: true },
      });
      expect(headers.get('x-cache')).toBe('HIT');
      expect(chats()).toHaveLength(1);
    } finally {
      await one.close();
      await two.close();
    }
  });

  it('misses during a Redis outage, and no request fails', async () => {
    const proxy = await TcpProxy.start(redisUrl);
    const api = await startApi(environment(proxy.url), database);
    try {
      const user = await registerUser(api.url);
      const [kept, other] = [question(), question()];
      await complete(user, kept);
      proxy.cut();
      expect((await complete(user, other)).headers.get('x-cache')).toBe('MISS');
      // The process still has the answer in its own memory.
      expect((await complete(user, kept)).headers.get('x-cache')).toBe('HIT');
      expect(chats()).toHaveLength(2);
    } finally {
      proxy.restore();
      await api.close();
      await proxy.close();
    }
  });
});
