import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  startFakeProvider,
  type FakeProvider,
} from '../../../../test/support/fake-provider/fake-provider.js';
import type { Behavior } from '../../../../test/support/fake-provider/script.js';
import { type ChatChunk, ProviderError, type ProviderEvent } from '../../port/index.js';
import { OllamaProvider } from './ollama.provider.js';

let fake: FakeProvider;
let provider: OllamaProvider;

beforeAll(async () => {
  fake = await startFakeProvider();
  provider = new OllamaProvider({ id: 'ollama', baseUrl: `${fake.origin}/`, connectTimeoutMs: 1000 });
});
afterEach(() => fake.reset());
afterAll(async () => {
  await provider.close();
  await fake.close();
});

const call = (signal = new AbortController().signal) => ({
  model: 'test-model',
  request: { messages: [{ role: 'user' as const, content: 'one two three' }] },
  signal,
});

interface Outcome {
  readonly events: readonly ProviderEvent[];
  readonly text: string;
  readonly error: unknown;
}

/** Reads a stream to its end or error. */
async function outcomeOf(stream: AsyncIterable<ProviderEvent>): Promise<Outcome> {
  const events: ProviderEvent[] = [];
  let error: unknown;
  try {
    for await (const event of stream) events.push(event);
  } catch (thrown) {
    error = thrown;
  }
  return { events, text: chunksOf(events).map(textOf).join(''), error };
}

const chunksOf = (events: readonly ProviderEvent[]): ChatChunk[] =>
  events.flatMap((event) => (event.type === 'chunk' ? [event.chunk] : []));
const textOf = (chunk: ChatChunk): string => chunk.choices[0]?.delta.content ?? '';

const played = async (behavior: Behavior): Promise<Outcome> => {
  fake.script(behavior);
  return outcomeOf(provider.stream(call()));
};

describe('OllamaProvider', () => {
  it('streams in the canonical format, with usage last', async () => {
    const arriving = fake.nextRequest('chat');
    const { events, text } = await outcomeOf(provider.stream(call()));
    const chunks = chunksOf(events);
    expect(text).toBe('one two three');
    expect(chunks[0]).toMatchObject({ choices: [{ delta: { role: 'assistant', content: '' } }] });
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 3, total_tokens: 6 } });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks[0]?.id).toMatch(/^chatcmpl-/);
    const { path, body, headers } = await arriving;
    expect([path, headers['content-type']]).toEqual(['/api/chat', 'application/json']);
    expect(body).toEqual({
      model: 'test-model',
      messages: [{ role: 'user', content: 'one two three' }],
      stream: true,
      truncate: false,
      options: {},
    });
  });

  it('assembles a whole answer from the stream', async () => {
    fake.script({
      kind: 'answer',
      reasoning: 'hm well',
      toolCalls: [{ name: 'clock', arguments: '{"zone":"UTC"}' }],
    });
    expect((await provider.complete(call())).completion).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: '',
            reasoning_content: 'hm well',
            tool_calls: [{ function: { name: 'clock', arguments: '{"zone":"UTC"}' } }],
            provider_data: { provider: 'ollama', blocks: { thinking: 'hm well' } },
          },
        },
      ],
    });
  });

  it.each<[string, Behavior]>([
    ['split bytes', { kind: 'answer', splitBytes: 2 }],
    ['CRLF and empty lines', { kind: 'commentsAndCrLf' }],
    ['dripping bytes', { kind: 'drip', chunkMs: 0, unit: 'byte' }],
    ['no end marker', { kind: 'missingDone' }],
  ])('reads the answer in spite of %s', async (_name, behavior) => {
    expect(await played(behavior)).toMatchObject({ text: 'one two three', error: undefined });
  });

  it('returns an empty answer', async () => {
    const { text, error, events } = await played({ kind: 'emptyAnswer' });
    expect([text, error, chunksOf(events).at(-1)?.usage?.completion_tokens]).toEqual(['', undefined, 0]);
  });

  it('continues after a broken line, and reports it', async () => {
    const { text, error, events } = await played({ kind: 'malformedChunk', at: 1 });
    expect([text, error]).toEqual(['one two three', undefined]);
    expect(events.filter(({ type }) => type === 'skipped')).toHaveLength(1);
  });
});

describe('OllamaProvider with a failing server', () => {
  const faults: [name: string, behavior: Behavior, kind: string, text: string][] = [
    ['400', { kind: 'error', status: 400 }, 'rejected', ''],
    [
      'too long a prompt',
      { kind: 'error', status: 400, code: 'context_length_exceeded' },
      'context_length_exceeded',
      '',
    ],
    ['401', { kind: 'error', status: 401 }, 'unauthorized', ''],
    ['403', { kind: 'error', status: 403 }, 'unauthorized', ''],
    ['404', { kind: 'error', status: 404 }, 'model_not_found', ''],
    ['429', { kind: 'error', status: 429, retryAfter: 2 }, 'rate_limited', ''],
    ['500', { kind: 'error', status: 500 }, 'broken_answer', ''],
    ['an HTML page', { kind: 'error', status: 502, body: 'html' }, 'broken_answer', ''],
    ['503 without a body', { kind: 'error', status: 503, body: 'empty' }, 'unavailable', ''],
    ['a reset before any byte', { kind: 'reset' }, 'unreachable', ''],
    ['a reset in mid-answer', { kind: 'reset', afterChunks: 2 }, 'broken_answer', 'one two'],
    ['a cut', { kind: 'cut', afterChunks: 2 }, 'broken_answer', 'one two'],
    ['a cut before anything', { kind: 'cut', afterChunks: 0 }, 'broken_answer', ''],
    [
      'an error line',
      { kind: 'errorInStream', afterChunks: 1, error: { message: 'model runner has stopped' } },
      'broken_answer',
      'one',
    ],
    [
      'an error line that says what it is about',
      { kind: 'errorInStream', afterChunks: 2, error: { code: 'context_length_exceeded' } },
      'context_length_exceeded',
      'one two',
    ],
  ];
  it.each(faults)('classifies the failure: %s', async (_name, behavior, kind, text) => {
    const { error, text: said } = await played(behavior);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ kind });
    expect(said).toBe(text);
    fake.script(behavior);
    await expect(provider.complete(call())).rejects.toMatchObject({ kind });
  });

  it('reports the delay before the next attempt', async () => {
    const { error } = await played({ kind: 'error', status: 429, retryAfter: 2, message: 'Slow down.' });
    expect(error).toMatchObject({ retryAfterMs: 2000, message: 'Slow down.' });
  });

  it('reports a server that cannot be reached', async () => {
    const gone = await startFakeProvider();
    const { origin } = gone;
    await gone.close();
    const away = new OllamaProvider({ id: 'ollama', baseUrl: origin, connectTimeoutMs: 1000 });
    expect((await outcomeOf(away.stream(call()))).error).toMatchObject({ kind: 'unreachable' });
    await expect(away.listModels(AbortSignal.timeout(1000))).rejects.toMatchObject({ kind: 'unreachable' });
    await away.close();
  });

  it('sends no request if it cannot be converted', async () => {
    const content = [{ type: 'image_url' as const, image_url: { url: 'http://127.0.0.1/a.png' } }];
    const request = { messages: [{ role: 'user' as const, content }] };
    expect((await outcomeOf(provider.stream({ ...call(), request }))).error).toMatchObject({
      code: 'invalid_request',
    });
    expect(fake.requests).toHaveLength(0);
  });
});
