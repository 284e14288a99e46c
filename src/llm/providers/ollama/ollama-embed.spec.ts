import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  startFakeProvider,
  type FakeProvider,
} from '../../../../test/support/fake-provider/fake-provider.js';
import type { Behavior } from '../../../../test/support/fake-provider/script.js';
import { OllamaProvider } from './ollama.provider.js';

let fake: FakeProvider;
let provider: OllamaProvider;

beforeAll(async () => {
  fake = await startFakeProvider();
  provider = new OllamaProvider({ id: 'ollama', baseUrl: fake.origin, connectTimeoutMs: 1000 });
});
afterEach(() => fake.reset());
afterAll(async () => {
  await provider.close();
  await fake.close();
});

describe('OllamaProvider', () => {
  it('embeds texts', async () => {
    const arriving = fake.nextRequest('embeddings');
    const signal = AbortSignal.timeout(5000);
    const result = await provider.embed({ model: 'm', input: ['a b', 'c'], dimensions: 4, signal });
    expect(result.vectors.map((vector) => vector.length)).toEqual([4, 4]);
    expect(result.inputTokens).toBe(3);
    expect((await arriving).body).toEqual({
      model: 'm',
      input: ['a b', 'c'],
      truncate: false,
      dimensions: 4,
    });
    const plain = await provider.embed({ model: 'm', input: ['a'], dimensions: undefined, signal });
    expect(plain.vectors[0]).toHaveLength(8);
  });

  it.each<[Behavior, string]>([
    [{ kind: 'error', status: 400, code: 'context_length_exceeded' }, 'context_length_exceeded'],
    [{ kind: 'malformedChunk', at: 0 }, 'unreadable_answer'],
    [{ kind: 'errorInStream', afterChunks: 0, error: { status: 404 } }, 'model_not_found'],
    [{ kind: 'reset', afterChunks: 1 }, 'broken_answer'],
  ])('reports the failure of embeddings: %j', async (behavior, kind) => {
    fake.scriptFor('embeddings', behavior);
    const embedding = provider.embed({
      model: 'm',
      input: ['a'],
      dimensions: undefined,
      signal: AbortSignal.timeout(5000),
    });
    await expect(embedding).rejects.toMatchObject({ kind });
  });

  it('refuses to embed tokens', async () => {
    const signal = AbortSignal.timeout(5000);
    const embedding = provider.embed({ model: 'm', input: [[1, 2]], dimensions: undefined, signal });
    await expect(embedding).rejects.toMatchObject({ kind: 'rejected' });
    expect(fake.requests).toHaveLength(0);
  });

  it('lists the models', async () => {
    fake.models = ['llama3.2:latest', 'qwen3:8b'];
    expect(await provider.listModels(AbortSignal.timeout(5000))).toEqual([
      { id: 'llama3.2:latest' },
      { id: 'qwen3:8b' },
    ]);
  });

  it('sends its key', async () => {
    const locked = await startFakeProvider({ apiKey: 'secret' });
    const options = { id: 'ollama', baseUrl: locked.origin, connectTimeoutMs: 1000 };
    const known = new OllamaProvider({ ...options, apiKey: 'secret' });
    const unknown = new OllamaProvider(options);
    expect(await known.listModels(AbortSignal.timeout(5000))).toEqual([{ id: 'test-model' }]);
    await expect(unknown.listModels(AbortSignal.timeout(5000))).rejects.toMatchObject({
      kind: 'unauthorized',
    });
    await Promise.all([known.close(), unknown.close()]);
    await locked.close();
  });
});
