import { describe, expect, it } from '@jest/globals';
import type { ProviderEvent } from '../../port/index.js';
import { newAnswerMetadata } from './chunk-normalizer.js';
import { ChatStreamReader } from './chat-stream-reader.js';

const read = (text: string): ProviderEvent[] => {
  const reader = new ChatStreamReader(newAnswerMetadata('m'));
  return [...reader.push(Buffer.from(text)), ...reader.end()];
};
const sse = (frames: readonly unknown[]): string =>
  [...frames.map((frame) => JSON.stringify(frame)), '[DONE]'].map((data) => `data: ${data}\n\n`).join('');
const delta = (value: unknown, finish_reason: unknown = null): object => ({
  choices: [{ index: 0, delta: value, finish_reason }],
});

describe('usage', () => {
  const usageOf = (usage: unknown) =>
    read(sse([delta({ content: 'a' }, 'stop'), { choices: [], usage }])).flatMap((event) =>
      event.type === 'chunk' && event.chunk.usage ? [event.chunk.usage] : [],
    );

  it.each<[string, unknown, object | undefined]>([
    [
      'as texts',
      { prompt_tokens: '5', completion_tokens: '2', total_tokens: '7' },
      { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    ],
    [
      'in Anthropic’s words',
      { input_tokens: 5, output_tokens: 2 },
      { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    ],
    ['without a sum', { prompt_tokens: 5, completion_tokens: 2 }, { total_tokens: 7 }],
    [
      'with details that are texts',
      {
        prompt_tokens: 5,
        completion_tokens: 2,
        total_tokens: 7,
        prompt_tokens_details: { cached_tokens: '3' },
      },
      { prompt_tokens_details: { cached_tokens: 3 } },
    ],
    ['as a list', [5, 2], undefined],
    ['as a sentence', 'many', undefined],
    ['with nothing in it', {}, undefined],
  ])('%s becomes figures in the canonical format, or none', (_what, usage, expected) => {
    const figures = usageOf(usage);
    if (expected === undefined) expect(figures).toEqual([]);
    else expect(figures).toMatchObject([expected]);
  });

  it('is read from each of the places where hosts put it', () => {
    const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
    const inFinish = { ...delta({ content: 'a' }, 'stop'), usage };
    const withoutChoices = { usage };
    for (const frames of [[inFinish], [delta({ content: 'a' }, 'stop'), withoutChoices]]) {
      const figures = read(sse(frames)).flatMap((event) =>
        event.type === 'chunk' && event.chunk.usage ? [event.chunk.usage] : [],
      );
      expect(figures).toMatchObject([usage]);
    }
  });
});
