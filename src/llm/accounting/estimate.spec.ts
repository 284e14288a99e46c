import { describe, expect, it } from '@jest/globals';
import { estimateChat, estimateEmbedding } from './estimate.js';

const user = (content: string) => ({ role: 'user' as const, content });

describe('estimateChat', () => {
  it('divides the bytes of the texts by four, and adds the maximum answer', () => {
    const { input, output } = estimateChat({ messages: [user('x'.repeat(4000))] });
    expect(input).toBeGreaterThanOrEqual(1000);
    expect(input).toBeLessThan(1005);
    expect(output).toBe(1024);
  });

  it('counts bytes and not characters', () => {
    const plain = estimateChat({ messages: [user('e'.repeat(400))] }).input;
    expect(estimateChat({ messages: [user('語'.repeat(400))] }).input - plain).toBe(200);
  });

  it.each([
    [{ max_tokens: 10 }, 10],
    [{ max_completion_tokens: 20, max_tokens: 10 }, 20],
    [{ max_tokens: 10, n: 3 }, 30],
    [{ max_tokens: null }, 1024],
  ])('for %j: estimates an answer of %d tokens', (options, output) => {
    expect(estimateChat({ messages: [user('x')], ...options }).output).toBe(output);
  });

  it('counts a fixed size for an image, however many bytes it has', () => {
    const url = `data:image/png;base64,${'A'.repeat(4_000_000)}`;
    const content = [{ type: 'image_url' as const, image_url: { url } }];
    expect(estimateChat({ messages: [{ role: 'user', content }] }).input).toBeLessThan(1100);
  });

  it('handles a deeply nested tool', () => {
    let schema: Record<string, unknown> = { description: 'x'.repeat(400) };
    for (let depth = 0; depth < 100_000; depth += 1) schema = { items: schema };
    const tools = [{ type: 'function' as const, function: { name: 'f', parameters: schema } }];
    expect(estimateChat({ messages: [user('x')], tools }).input).toBeGreaterThanOrEqual(100);
  });
});

describe('estimateEmbedding', () => {
  it('estimates no output, and counts tokens that are passed as such', () => {
    expect(estimateEmbedding(['x'.repeat(40), 'y'])).toEqual({ input: 11, output: 0 });
    expect(estimateEmbedding([[1, 2, 3], [4]])).toEqual({ input: 4, output: 0 });
  });
});
