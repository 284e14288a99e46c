import { describe, expect, it } from '@jest/globals';
import type { ChatRequest, ProviderEvent } from '../../port/index.js';
import { DemoProvider } from './demo.provider.js';

const SIGNAL = new AbortController().signal;

function ask(request: ChatRequest, model = 'echo'): Promise<ProviderEvent[]> {
  const provider = new DemoProvider({ tokensPerSecond: 100_000 });
  return Array.fromAsync(provider.stream({ model, request, signal: SIGNAL }));
}

const chunksOf = (events: readonly ProviderEvent[]) =>
  events.flatMap((event) => (event.type === 'chunk' ? [event.chunk] : []));

describe('DemoProvider', () => {
  it('explains what it is, repeats the last message, and reports usage', async () => {
    const messages = [
      { role: 'user' as const, content: 'first' },
      { role: 'user' as const, content: 'Hello, 世界 👋' },
    ];
    const chunks = chunksOf(await ask({ messages }));
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
    expect(text).toMatch(/demo model.*You wrote: Hello, 世界 👋$/s);
    expect(
      chunks.flatMap(({ choices }) => choices.map((choice) => choice.finish_reason)).filter(Boolean),
    ).toEqual(['stop']);
    const usage = chunks.at(-1)?.usage;
    expect(usage?.prompt_tokens).toBe(4);
    expect(usage?.completion_tokens).toBe(chunks.length - 3);
  });

  it('respects a token limit', async () => {
    const chunks = chunksOf(
      await ask({ messages: [{ role: 'user', content: 'x' }], max_completion_tokens: 3 }),
    );
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(3);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('length');
  });

  it('lists one model', async () => {
    await expect(ask({ messages: [] }, 'gpt')).rejects.toMatchObject({ kind: 'model_not_found' });
  });

  it('stops at once when it is aborted', async () => {
    const abort = new AbortController();
    const provider = new DemoProvider({ tokensPerSecond: 1 });
    const stream = provider.stream({ model: 'echo', request: { messages: [] }, signal: abort.signal });
    await stream.next();
    await stream.next();
    const waiting = stream.next();
    abort.abort();
    await expect(waiting).rejects.toThrow();
  });
});
