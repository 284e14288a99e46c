import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { FAKE_SIGNATURE } from '../../../../test/support/fake-provider/anthropic-blocks.js';
import {
  type FakeProvider,
  startFakeProvider,
} from '../../../../test/support/fake-provider/fake-provider.js';
import type { Behavior } from '../../../../test/support/fake-provider/script.js';
import type { ChatRequest, ProviderEvent } from '../../port/index.js';
import { AnthropicProvider } from './anthropic.provider.js';

const QUESTION: ChatRequest = { messages: [{ role: 'user', content: 'one two three' }] };

let host: FakeProvider;
let provider: AnthropicProvider;

beforeAll(async () => {
  host = await startFakeProvider({ apiKey: 'secret' });
  provider = providerWith('secret');
});
afterEach(() => host.reset());
afterAll(async () => {
  await provider.close();
  await host.close();
});

function providerWith(apiKey: string | undefined, baseUrl = host.anthropicBaseUrl): AnthropicProvider {
  return new AnthropicProvider({ id: 'anthropic', baseUrl, apiKey, connectTimeoutMs: 1000 });
}

const stream = (
  request = QUESTION,
  signal = new AbortController().signal,
  model = 'claude-opus-5-5',
): AsyncGenerator<ProviderEvent> => provider.stream({ model, request, signal });

const textOf = (events: readonly ProviderEvent[]): string =>
  events
    .flatMap((event) => (event.type === 'chunk' ? event.chunk.choices : []))
    .map(({ delta }) => delta.content ?? '')
    .join('');

describe('answers of AnthropicProvider', () => {
  it('arrive as chunks, and the key is sent in the header that every host reads', async () => {
    const events = await Array.fromAsync(stream({ ...QUESTION, temperature: 0.5 }));
    expect(textOf(events)).toBe('one two three');
    expect(events.at(-1)).toMatchObject({ chunk: { choices: [], usage: { total_tokens: 6 } } });
    const [request] = host.requests;
    expect(request?.headers).toMatchObject({ 'x-api-key': 'secret', 'anthropic-version': '2026-10-21' });
    expect(request?.headers).not.toHaveProperty('authorization');
    expect(request?.body).toMatchObject({ model: 'claude-opus-5-5', stream: true, max_tokens: 32_000 });
    expect(request?.body).not.toHaveProperty('temperature');
  });

  it('request the older protocol version if they need a feature that only that one has', async () => {
    await Array.fromAsync(stream({ ...QUESTION, temperature: 0.5 }, undefined, 'claude-sonnet-4-5'));
    expect(host.requests[0]?.headers).toMatchObject({ 'anthropic-version': '2023-06-01' });
    expect(host.requests[0]?.body).toMatchObject({ temperature: 0.5 });
  });

  it('are assembled, and provider data is returned unchanged', async () => {
    const toolCalls = [{ name: 'clock', arguments: ['{"zone"', ':"UTC"}'] }];
    host.setDefault({ kind: 'answer', text: ['I ', 'look.'], reasoning: 'hm well', toolCalls });
    const call = { model: 'claude-opus-5-5', signal: new AbortController().signal };
    const { completion } = await provider.complete({ ...call, request: QUESTION });
    const message = completion.choices[0]?.message;
    expect(message).toMatchObject({
      content: 'I look.',
      reasoning_content: 'hm well',
      tool_calls: [{ id: 'call_0', function: { name: 'clock', arguments: '{"zone":"UTC"}' } }],
    });
    if (message === undefined) throw new Error('There is no message.');
    const result = { role: 'tool' as const, tool_call_id: 'call_0', content: '12:00' };
    await provider.complete({ ...call, request: { messages: [...QUESTION.messages, message, result] } });
    expect(host.requests[1]?.body).toMatchObject({
      messages: [
        { role: 'user' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm well', signature: FAKE_SIGNATURE },
            { type: 'text', text: 'I look.' },
            { type: 'tool_use', id: 'call_0', name: 'clock', input: { zone: 'UTC' } },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_0' }] },
      ],
    });
  });

  it.each<Behavior>([
    { kind: 'commentsAndCrLf' },
    { kind: 'missingDone' },
    { kind: 'answer', splitBytes: 3 },
    { kind: 'drip', chunkMs: 1 },
  ])('are complete regardless of the transport: %j', async (behavior) => {
    host.script(behavior);
    expect(textOf(await Array.fromAsync(stream()))).toBe('one two three');
  });

  it('continue after an event that cannot be read, and report it', async () => {
    host.script({ kind: 'malformedChunk', at: 1 });
    const events = await Array.fromAsync(stream());
    expect(textOf(events)).toBe('one two three');
    expect(events.filter(({ type }) => type === 'skipped')).toHaveLength(1);
  });

  it.each(['/', '/v1', '/v1/'])('also arrive from a base URL that ends with %s', async (end) => {
    const other = providerWith('secret', `${host.origin}${end}`);
    const call = { model: 'm', request: QUESTION, signal: new AbortController().signal };
    expect(textOf(await Array.fromAsync(other.stream(call)))).toBe('one two three');
    await other.close();
  });

  it('reuse a connection', async () => {
    for (let count = 0; count < 5; count += 1) await Array.fromAsync(stream());
    await provider.listModels(new AbortController().signal);
    expect(host.requests).toHaveLength(6);
    // Two, because a call may begin before the last byte of the previous answer has arrived.
    expect(host.openConnections).toBeLessThanOrEqual(2);
  });
});

describe('models of AnthropicProvider', () => {
  const signal = new AbortController().signal;

  it('are listed', async () => {
    host.models = ['claude-opus-5-5', 'claude-haiku-5-5'];
    expect(await provider.listModels(signal)).toEqual([
      { id: 'claude-opus-5-5' },
      { id: 'claude-haiku-5-5' },
    ]);
  });

  it('are listed from all pages, up to a limit', async () => {
    host.models = Array.from({ length: 11_500 }, (_, index) => `m-${index}`);
    expect(await provider.listModels(signal)).toHaveLength(10_000);
    expect(host.requests).toHaveLength(10);
    host.models = host.models.slice(0, 1500);
    expect(await provider.listModels(signal)).toHaveLength(1500);
  });

  it('are listed with their context windows if those are reported', async () => {
    const list = {
      data: [
        { id: 'a', max_input_tokens: 1_000_000 },
        { id: 'b', max_input_tokens: null },
      ],
    };
    host.scriptFor('models', { kind: 'verbatim', body: JSON.stringify({ ...list, has_more: false }) });
    expect(await provider.listModels(signal)).toEqual([{ id: 'a', contextWindow: 1_000_000 }, { id: 'b' }]);
  });

  it('are not listed with a wrong key', async () => {
    const stranger = providerWith(undefined);
    await expect(stranger.listModels(signal)).rejects.toMatchObject({ kind: 'unauthorized' });
    await stranger.close();
  });
});
