import { setTimeout } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';

import { startFakeProvider, type FakeProvider } from './fake-provider.js';
import { gatedAnswer } from './gated-answer.js';

let provider: FakeProvider;
let client: OpenAI;

beforeAll(async () => {
  provider = await startFakeProvider();
  client = new OpenAI({ baseURL: provider.baseUrl, apiKey: 'any', maxRetries: 0 });
});
afterEach(() => provider.reset());
afterAll(async () => provider.close());

const question = { model: 'gpt', messages: [{ role: 'user' as const, content: 'x' }] };

describe('a gated answer', () => {
  it('sends its chunks one by one as they are released', async () => {
    const gate = gatedAnswer(['a', 'b', 'c', 'd']);
    provider.script(gate);
    const stream = await client.chat.completions.create({ ...question, stream: true });
    const chunks = stream[Symbol.asyncIterator]();
    const next = async (): Promise<string | null | undefined> => {
      const result = await chunks.next();
      if (result.done === true) return 'done';
      const [choice] = result.value.choices;
      return choice?.finish_reason ?? choice?.delta.content;
    };
    expect(await next()).toBe('');
    gate.release();
    expect(await next()).toBe('a');
    const pending = next();
    gate.release(2);
    expect([await pending, await next()]).toEqual(['b', 'c']);
    gate.releaseAll();
    expect(await next()).toBe('d');
    gate.finish();
    expect([await next(), await next()]).toEqual(['stop', 'done']);
  });

  it.each([
    [false, gatedAnswer(['a', 'b'])],
    [true, gatedAnswer(['a', 'b'], { holdHeaders: true })],
  ])('holds back its body, and its headers if configured (streaming: %s)', async (stream, gate) => {
    provider.script(gate);
    const arriving = provider.nextRequest();
    const answering = stream
      ? client.chat.completions.stream(question).finalContent()
      : client.chat.completions.create(question).then(({ choices }) => choices[0]?.message.content);
    const request = await arriving;
    const sent = request.firstByteSent.then(() => 'sent');
    expect(await Promise.race([sent, setTimeout(20, 'held')])).toBe('held');
    gate.finish();
    expect(await sent).toBe('sent');
    expect(await answering).toBe('ab');
  });
});
