import { describe, expect, it } from '@jest/globals';
import { openAiModelSupportsMedia } from './openai-models.js';

describe('media support of OpenAI’s models', () => {
  it.each([
    ['gpt-4o', true],
    ['gpt-4o-mini-2024-07-18', true],
    ['chatgpt-4o-latest', true],
    ['gpt-4.1-nano', true],
    ['gpt-5', true],
    ['gpt-5.5-pro', true],
    ['o1', true],
    ['o3', true],
    ['o4-mini', true],
    ['ft:gpt-4o-mini-2024-07-18:mine::abc', true],
    ['gpt-3.5-turbo', false],
    ['gpt-4', false],
    ['gpt-4-0613', false],
    ['gpt-4-32k', false],
    ['gpt-4-1106-preview', false],
    ['o1-mini', false],
    ['o1-preview-2024-09-12', false],
    ['o3-mini', false],
    ['ft:gpt-3.5-turbo-0125:mine::abc', false],
    ['gpt-4o-audio-preview', undefined],
    ['gpt-4o-realtime-preview', undefined],
    ['test-model', undefined],
    ['llama-3', undefined],
  ])('for %s is %s', (model, reads) => {
    expect([openAiModelSupportsMedia(model, 'image'), openAiModelSupportsMedia(model, 'pdf')]).toEqual([
      reads,
      reads,
    ]);
  });

  it('for GPT-4 Turbo is known for images only', () => {
    expect(openAiModelSupportsMedia('gpt-4-turbo', 'image')).toBe(true);
    expect(openAiModelSupportsMedia('gpt-4-turbo', 'pdf')).toBeUndefined();
  });
});
