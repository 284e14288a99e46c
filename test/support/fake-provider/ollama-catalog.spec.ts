import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { startFakeProvider, type FakeProvider } from './fake-provider.js';
import { chat, post, type RawResponse } from './raw-client.js';
import { parseJson, property } from './unknown-value.js';

let provider: FakeProvider;

beforeAll(async () => {
  provider = await startFakeProvider();
});
afterEach(() => provider.reset());
afterAll(async () => provider.close());

describe('the routes of the fake Ollama besides chat', () => {
  const read = async (path: string): Promise<unknown> => (await fetch(provider.origin + path)).json();

  it('list models and return the version', async () => {
    provider.models = ['llama3.2:latest'];
    expect(await read('/api/tags')).toMatchObject({ models: [{ name: 'llama3.2:latest' }] });
    expect(await read('/api/version')).toEqual({ version: '0.12.6' });
  });

  it('return the capabilities of a model', async () => {
    const show = async (body: object): Promise<unknown> =>
      property(parseJson((await post(`${provider.origin}/api/show`, body)).text), 'capabilities');
    expect(await show({ model: 'llama3.2' })).toEqual(['completion', 'tools']);
    expect(await show({ model: 'llama3.2-vision' })).toEqual(['completion', 'tools', 'vision']);
    expect(await show({})).toBeUndefined();
  });

  it('return embeddings of one text or several', async () => {
    const embed = async (body: object): Promise<RawResponse> => post(`${provider.origin}/api/embed`, body);
    const several = parseJson((await embed({ model: 'm', input: ['a b', 'c'], dimensions: 4 })).text);
    expect(several).toMatchObject({ model: 'm', prompt_eval_count: 3 });
    const vectors = property(several, 'embeddings');
    expect(vectors).toEqual([
      [expect.any(Number), expect.any(Number), expect.any(Number), expect.any(Number)],
      expect.any(Array),
    ]);
    expect(property(parseJson((await embed({ model: 'm', input: 'a' })).text), 'embeddings')).toHaveLength(1);
    expect(await embed({ model: 'm', input: [[1, 2]] })).toMatchObject({ status: 400 });
    expect(await embed({ input: 'a' })).toMatchObject({ status: 400 });
  });

  it('refuse a request without the key', async () => {
    const locked = await startFakeProvider({ apiKey: 'secret' });
    const refused = await post(`${locked.origin}/api/chat`, chat('x'));
    await locked.close();
    expect([refused.status, refused.text]).toEqual([401, '{"error":"unauthorized"}']);
  });
});
