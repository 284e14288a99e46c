import { describe, expect, it } from '@jest/globals';
import { formatBanner } from './banner.js';
import { AppConfig, parseSettings } from '../config/index.js';
import type { ProviderHealth } from '../llm/index.js';

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

const bannerOf = (settings: Readonly<Record<string, string>>, providers: readonly ProviderHealth[]): string =>
  formatBanner({
    config: new AppConfig(parseSettings({ JWT_SECRET: SECRET, ENCRYPTION_KEY: SECRET, ...settings })),
    database: 'PostgreSQL 18.4 at db:5432/parley',
    url: 'http://localhost:3000',
    providers,
    defaultModel: 'demo/echo',
  });
const demo: ProviderHealth = { id: 'demo', status: 'ok', models: 1 };

describe('banner', () => {
  it('explains how to add a real model if there is only the demo', () => {
    const text = bannerOf({}, [demo]);
    expect(text).toContain('Providers  demo (1 model)\n');
    expect(text).toContain('set OPENAI_API_KEY, ANTHROPIC_API_KEY or OLLAMA_BASE_URL');
  });

  it('lists every provider with its number of models, and marks one that does not answer', () => {
    const text = bannerOf({}, [
      { id: 'openai', status: 'ok', models: 2 },
      { id: 'ollama', status: 'unavailable', models: 0 },
      demo,
    ]);
    expect(text).toContain('Providers  openai (2 models), ollama (unavailable), demo (1 model)\n');
    expect(text).not.toContain('OPENAI_API_KEY');
  });

  it('reports the number of processes if there are several', () => {
    const shared = { DATABASE_URL: 'postgresql://db/parley', REDIS_URL: 'redis://cache:6379' };
    const text = bannerOf({ ...shared, WEB_CONCURRENCY: '3' }, [demo]);
    expect(text).toContain('Processes  3, which share the port\n');
    expect(text).toContain('jobs in these processes');
    expect(bannerOf(shared, [demo])).not.toContain('Processes');
  });

  it.each([
    [{}, 'BullMQ on PostgreSQL, jobs in this process'],
    [{ REDIS_URL: 'redis://cache:6379', WORKER: 'separate' }, 'BullMQ on Redis, jobs in worker processes'],
  ])('with the settings %j reports the queue as %s', (settings, queue) => {
    expect(bannerOf(settings, [demo])).toContain(`Queue      ${queue}\n`);
  });

  it('shows no secrets', () => {
    expect(bannerOf({ OPENAI_API_KEY: 'placeholder-key' }, [demo])).not.toMatch(
      new RegExp(`${SECRET}|placeholder-key`),
    );
  });
});
