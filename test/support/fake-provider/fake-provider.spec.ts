import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import OpenAI, { AuthenticationError, NotFoundError } from 'openai';

import { startFakeProvider, type FakeProvider } from './fake-provider.js';
import { gatedAnswer } from './gated-answer.js';
import { chat, post } from './raw-client.js';

let provider: FakeProvider;
let client: OpenAI;

beforeEach(async () => {
  provider = await startFakeProvider({ apiKey: 'secret' });
  client = new OpenAI({ baseURL: provider.baseUrl, apiKey: 'secret', maxRetries: 0, logLevel: 'off' });
});
afterEach(async () => provider.close());

const ask = async (content: string): Promise<string | null | undefined> => {
  const completion = await client.chat.completions.create({
    model: 'test-model',
    messages: [{ role: 'user', content }],
  });
  return completion.choices[0]?.message.content;
};

describe('the fake provider', () => {
  it('plays the queued behaviors first and the default afterwards', async () => {
    provider.script({ kind: 'answer', text: 'first' }, { kind: 'answer', text: 'second' });
    expect([await ask('echo'), await ask('echo'), await ask('echo')]).toEqual(['first', 'second', 'echo']);
    provider.setDefault({ kind: 'answer', text: 'default' });
    expect(await ask('echo')).toBe('default');
    provider.reset();
    expect(await ask('echo')).toBe('echo');
    expect(provider.requests).toHaveLength(1);
  });

  it('records requests and the end of their responses', async () => {
    const before = performance.now();
    const arriving = provider.nextRequest('chat');
    await ask('hello');
    const request = await arriving;
    expect(provider.requests).toEqual([request]);
    expect(request).toMatchObject({ method: 'POST', path: '/v1/chat/completions', route: 'chat' });
    expect(request.headers.authorization).toBe('Bearer secret');
    expect(request.body).toEqual(chat('hello'));
    expect(request.rawBody).toBe(JSON.stringify(chat('hello')));
    await request.firstByteSent;
    const closed = await request.closed;
    expect(closed.by).toBe('server');
    expect(request.receivedAt).toBeGreaterThan(before);
    expect(closed.at).toBeGreaterThanOrEqual(request.receivedAt);
  });

  it('waits for a request on one route', async () => {
    const arriving = provider.nextRequest('models');
    await ask('not this one');
    await client.models.list();
    expect((await arriving).path).toBe('/v1/models');
  });

  it('rejects pending waits for a request when it closes', async () => {
    const arriving = expect(provider.nextRequest()).rejects.toThrow('No request came in');
    await provider.close();
    await arriving;
  });

  it('destroys all sockets when it closes, even with running exchanges', async () => {
    provider.script({ kind: 'silence' }, { kind: 'drip', chunkMs: 60_000 }, gatedAnswer(['never']));
    const arriving = [1, 2, 3].map(async () => provider.nextRequest());
    const failing = [1, 2, 3].map(async () => expect(ask('a b c')).rejects.toThrow());
    const requests = await Promise.all(arriving);
    expect(provider.openConnections).toBe(3);
    await provider.close();
    expect(provider.openConnections).toBe(0);
    await Promise.all(failing);
    const closings = await Promise.all(requests.map(async ({ closed }) => closed));
    expect(closings.map(({ by }) => by)).toEqual(['server', 'server', 'server']);
    await expect(ask('closed')).rejects.toThrow('Connection error');
  });

  it('aborts running exchanges on reset, and continues to serve', async () => {
    provider.script({ kind: 'silence' });
    const arriving = provider.nextRequest();
    const failing = expect(ask('x')).rejects.toThrow('Connection error');
    const request = await arriving;
    provider.reset();
    await failing;
    expect((await request.closed).by).toBe('server');
    expect(await ask('still here')).toBe('still here');
  });
});

describe('the routes of the fake provider', () => {
  it('refuse a wrong or missing key without consuming the script', async () => {
    provider.script({ kind: 'answer', text: 'kept' });
    const stranger = new OpenAI({
      baseURL: provider.baseUrl,
      apiKey: 'wrong',
      maxRetries: 0,
      logLevel: 'off',
    });
    const refused = stranger.chat.completions.create({ model: 'm', messages: [] });
    await expect(refused).rejects.toThrow(AuthenticationError);
    await expect(refused).rejects.toMatchObject({ code: 'invalid_api_key' });
    expect((await post(`${provider.baseUrl}/chat/completions`, chat('x'))).status).toBe(401);
    expect(await ask('x')).toBe('kept');
  });

  it('list models, including ids with a slash', async () => {
    provider.models = ['gpt-4.1-mini', 'maker/model'];
    const ids = (await client.models.list()).data.map((model) => model.id);
    expect(ids).toEqual(['gpt-4.1-mini', 'maker/model']);
    expect((await client.models.retrieve('maker/model')).object).toBe('model');
    await expect(client.models.retrieve('other')).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('return OpenAI’s 404 error for other paths', async () => {
    await expect(client.files.list()).rejects.toThrow(NotFoundError);
    await expect(client.files.list()).rejects.toMatchObject({ code: 'unknown_url', param: null });
  });

  it('refuse a body that is not a chat request', async () => {
    const refused = client.chat.completions.create({ model: 'm', messages: [] });
    await expect(refused).rejects.toMatchObject({ status: 400 });
  });

  it('return deterministic embeddings, as floats and as base64', async () => {
    const input = ['the cat sat', 'the cat ran', 'quarterly revenue'];
    const asBase64 = await client.embeddings.create({ model: 'embedder', input });
    const asFloats = await client.embeddings.create({ model: 'embedder', input, encoding_format: 'float' });
    expect(asBase64.data.map(({ embedding }) => embedding)).toEqual(
      asFloats.data.map(({ embedding }) => embedding),
    );
    expect(provider.requests[0]?.body).toMatchObject({ encoding_format: 'base64' });
    expect(asFloats.usage).toEqual({ prompt_tokens: 8, total_tokens: 8 });
    const [sat = [], ran = [], revenue = []] = asFloats.data.map(({ embedding }) => embedding);
    expect(sat).toHaveLength(8);
    expect(dot(sat, sat)).toBeCloseTo(1);
    expect(dot(sat, ran)).toBeGreaterThan(dot(sat, revenue));
  });

  it('return embeddings with the configured or requested dimensions, and accept token ids', async () => {
    provider.embeddingDimensions = 1536;
    const [first] = (await client.embeddings.create({ model: 'e', input: [[1, 2, 3]] })).data;
    expect(first?.embedding).toHaveLength(1536);
    const [second] = (await client.embeddings.create({ model: 'e', input: [1, 2], dimensions: 4 })).data;
    expect(second?.embedding).toHaveLength(4);
    await expect(client.embeddings.create({ model: 'e', input: [] })).rejects.toMatchObject({ status: 400 });
  });

  it('can be scripted with faults for models and embeddings', async () => {
    provider.scriptFor('models', { kind: 'error', status: 503 });
    provider.scriptFor('embeddings', { kind: 'cut', afterChunks: 1 });
    await expect(client.models.list()).rejects.toMatchObject({ status: 503 });
    await expect(client.embeddings.create({ model: 'e', input: 'x' })).rejects.toThrow(SyntaxError);
    expect((await client.models.list()).data).toHaveLength(1);
  });
});

function dot(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);
}
