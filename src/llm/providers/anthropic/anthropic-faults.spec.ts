import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type FakeProvider,
  startFakeProvider,
} from '../../../../test/support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../test/support/fake-provider/gated-answer.js';
import type { Behavior } from '../../../../test/support/fake-provider/script.js';
import { type ChatRequest, ProviderError, type ProviderEvent } from '../../port/index.js';
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

const stream = (request = QUESTION, signal = new AbortController().signal): AsyncGenerator<ProviderEvent> =>
  provider.stream({ model: 'claude-opus-5-5', request, signal });

const textOf = (events: readonly ProviderEvent[]): string =>
  events
    .flatMap((event) => (event.type === 'chunk' ? event.chunk.choices : []))
    .map(({ delta }) => delta.content ?? '')
    .join('');

/** Returns the events before a call failed, and the error. */
async function failureOf(
  events: AsyncIterable<ProviderEvent>,
): Promise<{ text: string; error: ProviderError }> {
  const seen: ProviderEvent[] = [];
  try {
    for await (const event of events) seen.push(event);
  } catch (error) {
    if (error instanceof ProviderError) return { text: textOf(seen), error };
    throw error;
  }
  throw new Error('The call was expected to fail.');
}

describe('a failure of AnthropicProvider', () => {
  it.each<[Behavior, ProviderError['kind'], string]>([
    [{ kind: 'error', status: 400 }, 'rejected', ''],
    [{ kind: 'error', status: 400, code: 'context_length_exceeded' }, 'context_length_exceeded', ''],
    [{ kind: 'error', status: 400, code: 'content_policy_violation' }, 'content_policy_violation', ''],
    [{ kind: 'error', status: 401 }, 'unauthorized', ''],
    [{ kind: 'error', status: 403 }, 'unauthorized', ''],
    [{ kind: 'error', status: 404 }, 'model_not_found', ''],
    [{ kind: 'error', status: 408 }, 'timed_out', ''],
    [{ kind: 'error', status: 413 }, 'rejected', ''],
    [{ kind: 'error', status: 429, retryAfter: 7 }, 'rate_limited', ''],
    [{ kind: 'error', status: 500 }, 'broken_answer', ''],
    [{ kind: 'error', status: 502, body: 'html' }, 'broken_answer', ''],
    [{ kind: 'error', status: 503, body: 'empty' }, 'unavailable', ''],
    [{ kind: 'error', status: 529 }, 'unavailable', ''],
    [{ kind: 'reset' }, 'unreachable', ''],
    [{ kind: 'reset', afterChunks: 2 }, 'broken_answer', 'one two'],
    [{ kind: 'cut', afterChunks: 2 }, 'broken_answer', 'one two'],
    [{ kind: 'cut', afterChunks: 0 }, 'broken_answer', ''],
    [{ kind: 'errorInStream', afterChunks: 1, error: { code: 'overloaded' } }, 'unavailable', 'one'],
    [{ kind: 'errorInStream', afterChunks: 1, error: { status: 429 } }, 'rate_limited', 'one'],
    [{ kind: 'errorInStream', afterChunks: 1, error: { status: 500 } }, 'broken_answer', 'one'],
  ])('because of %j is reported as %s', async (behavior, kind, text) => {
    host.script(behavior);
    const failure = await failureOf(stream());
    expect([failure.error.kind, failure.text]).toEqual([kind, text]);
    expect(host.requests).toHaveLength(1);
    if (behavior.kind === 'error' && behavior.retryAfter) expect(failure.error.retryAfterMs).toBe(7000);
  });

  it('to connect is reported as an unreachable host', async () => {
    const nobody = providerWith('any', 'http://127.0.0.1:1');
    const call = { model: 'm', request: QUESTION, signal: new AbortController().signal };
    expect((await failureOf(nobody.stream(call))).error.kind).toBe('unreachable');
    await nobody.close();
  });

  it('before the request is sent names the field that the protocol cannot carry', async () => {
    const request: ChatRequest = { ...QUESTION, response_format: { type: 'json_object' } };
    await expect(Array.fromAsync(stream(request))).rejects.toMatchObject({
      code: 'invalid_request',
      param: 'response_format',
    });
    expect(host.requests).toHaveLength(0);
  });
});

describe('aborting closes the socket', () => {
  it.each<[string, Behavior, string | undefined]>([
    ['before the headers', { kind: 'silence' }, undefined],
    ['of a gate that is never opened', gatedAnswer(['never'], { holdHeaders: true }), undefined],
    ['before the first token', gatedAnswer(['never']), ''],
    ['after the first token', { kind: 'silence', afterChunks: 1 }, 'one'],
    ['in the middle of a slow answer', { kind: 'drip', chunkMs: 20 }, 'one'],
  ])('%s', async (_name, behavior, abortAt) => {
    host.script(behavior);
    const abort = new AbortController();
    const arriving = host.nextRequest('chat');
    const reading = async (): Promise<void> => {
      for await (const event of stream(QUESTION, abort.signal))
        if (textOf([event]) === abortAt) abort.abort();
    };
    const failing = expect(reading()).rejects.toThrow(ProviderError);
    const request = await arriving;
    if (abortAt === undefined) abort.abort();
    await failing;
    expect(await request.closed).toMatchObject({ by: 'client' });
  });

  it('and so does a consumer that stops reading', async () => {
    host.script({ kind: 'silence', afterChunks: 1 });
    const arriving = host.nextRequest('chat');
    for await (const event of stream()) if (textOf([event]) === 'one') break;
    expect((await (await arriving).closed).by).toBe('client');
  });
});
