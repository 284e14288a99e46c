import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { startFakeProvider, type FakeProvider } from './fake-provider.js';
import { gatedAnswer } from './gated-answer.js';
import { chat } from './raw-client.js';
import type { Behavior } from './script.js';

let provider: FakeProvider;

beforeEach(async () => {
  provider = await startFakeProvider();
});
afterEach(async () => provider.close());

/** Sends a request, reads until `expected` has arrived, disconnects, and returns the provider's view. */
async function leave(
  behavior: Behavior,
  stream: boolean,
  expected: RegExp | undefined,
): Promise<{ text: string; by: string }> {
  provider.script(behavior);
  const arriving = provider.nextRequest();
  const leaving = new AbortController();
  const answering = fetch(`${provider.baseUrl}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(chat('one two three', { stream })),
    signal: leaving.signal,
  });
  const request = await arriving;
  let text = '';
  if (expected === undefined) {
    const aborted = expect(answering).rejects.toThrow('aborted');
    leaving.abort();
    await aborted;
  } else {
    const reader = (await answering).body?.pipeThrough(new TextDecoderStream()).getReader();
    while (!expected.test(text)) text += (await reader?.read())?.value ?? '';
    leaving.abort();
  }
  const { by } = await request.closed;
  return { text, by };
}

describe.each([true, false])('a silent fake provider (streaming: %s)', (stream) => {
  it('can send nothing, not even headers', async () => {
    expect(await leave({ kind: 'silence' }, stream, undefined)).toEqual({ text: '', by: 'client' });
  });

  it('can stop after the headers', async () => {
    const seen = await leave({ kind: 'silence', afterHeaders: true }, stream, /^$/);
    expect(seen).toEqual({ text: '', by: 'client' });
  });

  it('can stop in mid-answer', async () => {
    const seen = await leave({ kind: 'silence', afterChunks: 2 }, stream, stream ? / two/ : /created/);
    expect(seen.by).toBe('client');
    expect(seen.text).not.toMatch('three');
  });

  it('can wait for a gate that is never opened', async () => {
    const gate = gatedAnswer(['a'], { holdHeaders: true });
    expect((await leave(gate, stream, undefined)).by).toBe('client');
  });
});

describe('the fake provider', () => {
  it('notices a disconnect while an answer drips', async () => {
    const seen = await leave({ kind: 'drip', chunkMs: 5, unit: 'byte' }, true, /data/);
    expect(seen.by).toBe('client');
  });

  it('notices a disconnect while it sends pings', async () => {
    const seen = await leave(
      { kind: 'silence', afterHeaders: true, pingEveryMs: 1 },
      true,
      /^: ping\n\n: ping\n\n/,
    );
    expect(seen.by).toBe('client');
    expect(seen.text).not.toMatch('data');
  });

  it('notices a disconnect while the client does not read', async () => {
    const text = Array.from({ length: 400 }, () => 'x'.repeat(100_000));
    const seen = await leave({ kind: 'answer', text }, true, /^data/);
    expect(seen.by).toBe('client');
  });

  it('stops writing while the client does not read', async () => {
    const text = Array.from({ length: 400 }, () => 'x'.repeat(100_000));
    provider.script({ kind: 'answer', text });
    const arriving = provider.nextRequest();
    const response = await fetch(`${provider.baseUrl}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(chat('x', { stream: true })),
    });
    const request = await arriving;
    const waited = new Promise((resolve) => setTimeout(resolve, 300, 'still writing'));
    expect(await Promise.race([request.closed, waited])).toBe('still writing');
    expect((await response.text()).length).toBeGreaterThan(40_000_000);
    expect((await request.closed).by).toBe('server');
  });
});
